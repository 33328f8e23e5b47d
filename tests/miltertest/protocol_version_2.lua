-- An MTA of version 2, as `milter_protocol = 2` makes Postfix: no reply is spared, and the MTA adds the space after a
-- field's colon itself.

local conn = session(OLD_STEPS, OLD_ACTIONS, 2)
for _, option in ipairs({ SMFIP_NR_CONN, SMFIP_NR_HDR, SMFIP_NR_BODY, SMFIP_NODATA, SMFIP_HDR_LEADSPC }) do
    same("an option that was not offered", mt.test_option(conn, option), false)
end
done("mail", mt.mailfrom(conn, "<joe@example.net>"))
answered(conn, "mail", SMFIR_CONTINUE)
done("header", mt.header(conn, "From", "joe@example.net"))
accepted(conn, "joe@example.net")
same("space", mt.getheader(conn, "Authentication-Results", 0):sub(1, 15), "mx.example.org;")
mt.disconnect(conn)

-- Where the filter sees the space, it writes one.
conn = session()
message(conn, "joe@example.net")
same("space", mt.getheader(conn, "Authentication-Results", 0):sub(1, 16), " mx.example.org;")
mt.disconnect(conn)

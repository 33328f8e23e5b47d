-- Unknown SMTP commands between the others change nothing, until the message's header has begun: no MTA has any there.

local conn = open(REPLIES & ~SMFIP_NOUNKNOWN)
local function unknown(what)
    done("unknown", mt.unknown(conn, what))
    answered(conn, "unknown", SMFIR_CONTINUE)
end
done("connect", mt.conninfo(conn, "client.example.net", "192.0.2.1"))
unknown("XONE")
done("helo", mt.helo(conn, "client.example.net"))
unknown("XTWO with words")
unknown(string.rep("X", 900))
done("mail", mt.mailfrom(conn, "<joe@example.net>"))
unknown("XTHREE")
done("rcpt", mt.rcptto(conn, "<ann@example.org>"))
done("header", mt.header(conn, "From", " joe@example.net"))
done("eoh", mt.eoh(conn))
accepted(conn, "joe@example.net")
unknown("XFOUR")
message(conn, "ann@example.net")
mt.disconnect(conn)

-- Where the MTA can do without, it is asked to.
conn = open()
same("unknown commands are not wanted", mt.test_option(conn, SMFIP_NOUNKNOWN), true)
mt.disconnect(conn)

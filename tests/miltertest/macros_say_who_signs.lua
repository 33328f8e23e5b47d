-- Macros: none at all, at other stages than usual, and those of one message that must not serve the next. Only mail of
-- an authenticated client is signed.

local function signed(conn, from)
    play(conn, from)
    done("end", mt.eom(conn))
    answered(conn, "end", SMFIR_ACCEPT)
    return mt.eom_check(conn, MT_HDRINSERT, "DKIM-Signature")
end

-- Nothing is known but addresses.
local conn = session()
same("without macros", signed(conn, "joe@example.org"), false)

done("macro", mt.macro(conn, SMFIC_MAIL, "i", "1ID", "{auth_authen}", "joe", "{auth_type}", "PLAIN"))
same("authenticated", signed(conn, "joe@example.org"), true)
-- An MTA that sends new macros for the next message takes those of the last one back.
done("macro", mt.macro(conn, SMFIC_MAIL, "i", "2ID"))
same("not authenticated", signed(conn, "joe@example.org"), false)
done("macro", mt.macro(conn, SMFIC_MAIL, "{auth_type}", "EXTERNAL"))
same("authenticated without a name", signed(conn, "joe@example.org"), true)
done("macro", mt.macro(conn, SMFIC_MAIL, "{auth_authen}", "", "{auth_type}", ""))
same("authenticated as nobody", signed(conn, "joe@example.org"), false)
-- A domain of somebody else's.
done("macro", mt.macro(conn, SMFIC_MAIL, "{auth_authen}", "joe"))
same("foreign domain", signed(conn, "joe@example.net"), false)
mt.disconnect(conn)

-- Macros before the client is known, macros nobody has heard of, and one that is too long for anything.
conn = open()
done("macro", mt.macro(conn, SMFIC_CONNECT, "j", "mx.example.org", "{daemon_name}", "smtpd", "{no_such}", "x"))
done("macro", mt.macro(conn, SMFIC_RCPT, "{rcpt_host}", string.rep("x", 900)))
done("connect", mt.conninfo(conn, "client.example.net", "192.0.2.1"))
done("macro", mt.macro(conn, SMFIC_HELO, "{tls_version}", "TLSv1.3"))
done("helo", mt.helo(conn, "client.example.net"))
message(conn, "joe@example.net")
mt.disconnect(conn)

-- The same said for submission alone.
conn = open()
done("macro", mt.macro(conn, SMFIC_CONNECT, "{daemon_name}", "ORIGINATING"))
done("connect", mt.conninfo(conn, "client.example.net", "192.0.2.1"))
same("submission", signed(conn, "joe@example.org"), true)
same("submission", signed(conn, "joe@example.org"), true)
mt.disconnect(conn)

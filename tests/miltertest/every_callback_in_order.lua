-- Every callback in order, each of them answered with "continue" by the filter, which says more only at the end.

-- Also DATA and unknown commands are told: an MTA that does not let the filter do without them.
local conn = open(ALL_EVENTS)
local function continues(what, trouble)
    done(what, trouble)
    answered(conn, what, SMFIR_CONTINUE)
end
continues("connect", mt.conninfo(conn, "client.example.net", "192.0.2.1"))
continues("helo", mt.helo(conn, "client.example.net"))
for number = 1, 3 do
    local from = "joe" .. number .. "@example.net"
    continues("mail", mt.mailfrom(conn, "<" .. from .. ">", "SIZE=1000"))
    continues("unknown", mt.unknown(conn, "XNOOP what"))
    continues("rcpt", mt.rcptto(conn, "<ann@example.org>", "NOTIFY=NEVER"))
    continues("rcpt", mt.rcptto(conn, "<bob@example.org>"))
    continues("data", mt.data(conn))
    continues("header", mt.header(conn, "From", " " .. from))
    continues("header", mt.header(conn, "Subject", " order\n\tand more"))
    continues("eoh", mt.eoh(conn))
    continues("body", mt.bodystring(conn, "Hello.\r\n"))
    continues("body", mt.bodyrandom(conn, 100000))
    accepted(conn, from)
end
mt.disconnect(conn)

-- One connection for many messages, as Postfix keeps one for an SMTP session: with and without an abort between them,
-- refused and accepted ones in turn.

local conn = session()
for number = 1, 300 do
    local from = "joe" .. number .. "@example.net"
    if number % 3 == 0 then
        play(conn, from, "header")
        done("header", mt.header(conn, "X-Campaign", " reject me"))
        done("end", mt.eom(conn))
        answered(conn, "end", SMFIR_REPLYCODE)
        same("edits of a refused message", mt.eom_check(conn, MT_HDRINSERT), false)
    else
        message(conn, from)
    end
    if number % 2 == 0 then
        done("abort", mt.abort(conn))
    end
end
mt.disconnect(conn)

-- An MTA that leaves after each callback: with a word (quit) and without (the connection breaks off); the next
-- connection is served.

for _, polite in ipairs({ true, false }) do
    mt.disconnect(mt.connect(socket), polite)
    mt.disconnect(open(), polite)
    local conn = open()
    done("connect", mt.conninfo(conn, "client.example.net", "192.0.2.1"))
    mt.disconnect(conn, polite)
    mt.disconnect(session(), polite)
    for _, last in ipairs(STEPS) do
        conn = session()
        play(conn, "given.up@example.net", last)
        mt.disconnect(conn, polite)
        conn = session()
        message(conn, "after." .. last .. "@example.net")
        mt.disconnect(conn, polite)
    end
end

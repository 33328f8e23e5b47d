-- A second client on one connection would be judged by the address of the first: the connection ends there, and the next
-- is served.

for _, last in ipairs({ "none", table.unpack(STEPS) }) do
    local conn = session(REPLIES)
    if last ~= "none" then
        play(conn, "joe@example.net", last)
    end
    silent("after " .. last, mt.conninfo(conn, "mail.example.org", "127.0.0.1"))
    mt.disconnect(conn, false)
    conn = session()
    message(conn, "after." .. last .. "@example.net")
    mt.disconnect(conn)
end

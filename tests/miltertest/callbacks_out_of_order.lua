-- Events out of their order: what came before them is forgotten, they themselves count for nothing, and the next message
-- is judged by itself. No event has a reply here: what the filter thinks of it shows at the end.

local conn = session()
message(conn, "first@example.net")

-- After a message, miltertest fills in nothing: each of these comes without those that belong before it.
for _, name in ipairs({ "rcpt", "header", "eoh", "body" }) do
    done(name, STEP[name](conn, "stray@example.net"))
    message(conn, "after.stray." .. name .. "@example.net")
end

-- A second MAIL is a new message; its recipients, fields and body are those after it.
for _, last in ipairs(STEPS) do
    play(conn, "forgotten@example.net", last)
    message(conn, "second.after." .. last .. "@example.net")
end

-- HELO ends a message, wherever it is.
for _, last in ipairs(STEPS) do
    play(conn, "forgotten@example.net", last)
    done("helo", mt.helo(conn, "client.example.net"))
    message(conn, "helo.after." .. last .. "@example.net")
end

-- A recipient, a field or an end of the header after the body: the message is forgotten, and its end with it.
mt.set_timeout(1)
for _, name in ipairs({ "rcpt", "header", "eoh" }) do
    play(conn, "forgotten@example.net")
    done(name, STEP[name](conn, "forgotten@example.net"))
    done("body", mt.bodystring(conn, "More.\r\n"))
    silent("end after " .. name, mt.eom(conn))
    mt.set_timeout(30)
    message(conn, "after.late." .. name .. "@example.net")
    mt.set_timeout(1)
end
mt.disconnect(conn)

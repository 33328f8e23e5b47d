-- Every callback after every other, in whatever order the protocol has them: the next message is judged by itself. No
-- event has a reply, for one that the protocol does not have there would get none; DATA, which has one, comes in its
-- place alone.

for _, steps in ipairs({ ALL_STEPS, SPARED_EVENTS }) do
    local conn = session(steps)
    message(conn, "first@example.net")
    for _, last in ipairs(STEPS) do
        for _, name in ipairs({ "mail", "rcpt", "header", "eoh", "body" }) do
            play(conn, "forgotten@example.net", last)
            done(name, STEP[name](conn, "forgotten@example.net"))
            message(conn, "after." .. last .. "." .. name .. "@example.net")
        end
    end
    mt.disconnect(conn)
end

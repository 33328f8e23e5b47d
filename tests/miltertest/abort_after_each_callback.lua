-- An abort after each callback, even where no message is under way, and again; the next message on the connection is
-- judged by itself.

for _, steps in ipairs({ ALL_STEPS, REPLIES, ALL_EVENTS }) do
    -- The protocol has no client after that, so that the connection is of no more use.
    local conn = open(steps)
    done("abort", mt.abort(conn))
    mt.disconnect(conn)
    conn = open(steps)
    done("connect", mt.conninfo(conn, "client.example.net", "192.0.2.1"))
    done("abort", mt.abort(conn))
    done("helo", mt.helo(conn, "client.example.net"))
    done("abort", mt.abort(conn))
    for _, last in ipairs(STEPS) do
        play(conn, "given.up@example.net", last)
        done("abort", mt.abort(conn))
        message(conn, "after." .. last .. "@example.net")
        -- As Postfix does after a message, too.
        done("abort", mt.abort(conn))
        done("abort", mt.abort(conn))
    end
    message(conn, "last@example.net")
    mt.disconnect(conn)
end

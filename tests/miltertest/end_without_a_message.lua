-- An end of message where there is none is not answered, as libmilter does not; nothing of the message before it is told
-- again, and the connection is good for more.

local conn = session()
message(conn, "first@example.net")
mt.set_timeout(1)
silent("second end", mt.eom(conn))
mt.set_timeout(30)
message(conn, "second@example.net")
play(conn, "given.up@example.net")
done("abort", mt.abort(conn))
message(conn, "third@example.net")
mt.disconnect(conn)

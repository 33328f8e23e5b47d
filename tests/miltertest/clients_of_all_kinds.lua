-- Clients by IPv4 and IPv6, and one of no known family: each is told in the results, and none is trusted but 127.0.0.1.

local clients = {
    { "192.0.2.1", "policy.iprev=192.0.2.1 " },
    { "2001:db8::1", 'policy.iprev="2001:db8::1"' },
    { "::1", 'policy.iprev="::1"' },
    -- Neither iprev nor SPF can say anything.
    { "unspec", "mx.example.org;\n\tdkim=none;" },
}
for _, client in ipairs(clients) do
    local conn = open()
    done("connect", mt.conninfo(conn, "client.example.net", client[1]))
    play(conn, "joe@example.net")
    done("end", mt.eom(conn))
    answered(conn, "end", SMFIR_ACCEPT)
    local results = mt.getheader(conn, "Authentication-Results", 0)
    holds("no results", results ~= nil)
    holds(client[1] .. " in " .. results, results:find(client[2], 1, true))
    same("signed", mt.eom_check(conn, MT_HDRINSERT, "DKIM-Signature"), false)
    mt.disconnect(conn)
end

-- `sendmail -bs` and its like: no address, and a name that only the MTA itself can say.
for _, client in ipairs({ { "localhost", "unspec" }, { "localhost", "127.0.0.1" } }) do
    local conn = open()
    done("connect", mt.conninfo(conn, client[1], client[2]))
    play(conn, "joe@example.org")
    done("end", mt.eom(conn))
    answered(conn, "end", SMFIR_ACCEPT)
    same("signed", mt.eom_check(conn, MT_HDRINSERT, "DKIM-Signature"), true)
    same("results", mt.eom_check(conn, MT_HDRINSERT, "Authentication-Results"), false)
    mt.disconnect(conn)
end

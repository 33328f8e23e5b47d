-- All that may be spared is asked for, and no more than what is offered: whichever single option an MTA lacks.

local spared = {
    SMFIP_NR_CONN, SMFIP_NR_HELO, SMFIP_NR_MAIL, SMFIP_NR_RCPT, SMFIP_NR_HDR, SMFIP_NR_EOH, SMFIP_NR_BODY,
    SMFIP_NODATA, SMFIP_NOUNKNOWN, SMFIP_HDR_LEADSPC,
}
-- The end of a message is answered always, and nothing that says who sends and what may be left out.
local needed = {
    SMFIP_NOCONNECT, SMFIP_NOHELO, SMFIP_NOMAIL, SMFIP_NORCPT, SMFIP_NOHDRS, SMFIP_NOEOH, SMFIP_NOBODY,
}
for _, missing in ipairs({ 0, table.unpack(spared) }) do
    local conn = open(ALL_STEPS & ~math.tointeger(missing))
    for _, option in ipairs(spared) do
        same(string.format("%x without %x", option, missing), mt.test_option(conn, option), option ~= missing)
    end
    for _, option in ipairs(needed) do
        same(string.format("%x", option), mt.test_option(conn, option), false)
    end
    done("connect", mt.conninfo(conn, "client.example.net", "192.0.2.1"))
    message(conn, "joe@example.net")
    message(conn, "ann@example.net")
    mt.disconnect(conn)
end

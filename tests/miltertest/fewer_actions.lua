-- An MTA that lets no filter write header fields is not served; one that lets it hold or redirect no message is, and
-- what would have been held is deferred: it never just passes.

for _, lacking in ipairs({ SMFIF_ADDHDRS, SMFIF_CHGHDRS, SMFIF_ADDHDRS | SMFIF_CHGHDRS }) do
    local conn = mt.connect(socket)
    silent("negotiate", mt.negotiate(conn, 6, ALL_STEPS, ALL_ACTIONS & ~math.tointeger(lacking)))
    mt.disconnect(conn, false)
end

local function wants(conn, action)
    play(conn, "joe@example.net", "header")
    done("header", mt.header(conn, "X-Action", " " .. action))
    done("eoh", mt.eoh(conn))
    done("end", mt.eom(conn))
end

local conn = session(ALL_STEPS, SMFIF_ADDHDRS | SMFIF_CHGHDRS)
message(conn, "joe@example.net")
for _, action in ipairs({ "quarantine", "copy", "redirect" }) do
    wants(conn, action)
    answered(conn, action, SMFIR_REPLYCODE)
    holds(action, mt.eom_check(conn, MT_SMTPREPLY, "451", "4.3.5", "message cannot be held"))
    same("held", mt.eom_check(conn, MT_QUARANTINE), false)
end
message(conn, "ann@example.net")
mt.disconnect(conn)

-- Without recipients' changes, but with hold.
conn = session(ALL_STEPS, SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE)
wants(conn, "copy")
answered(conn, "copy", SMFIR_ACCEPT)
holds("not held", mt.eom_check(conn, MT_QUARANTINE))
same("copied", mt.eom_check(conn, MT_RCPTADD, "<copied@example.org>"), false)
mt.disconnect(conn)

-- What is asked for at the end of a message, action by action, with its values and places.

local conn
local function ends(action, answer, ...)
    conn = session()
    play(conn, "joe@example.net", "header")
    for _, field in ipairs({ ... }) do
        done("header", mt.header(conn, field[1], " " .. field[2]))
    end
    done("header", mt.header(conn, "X-Action", " " .. action))
    done("eoh", mt.eoh(conn))
    done("body", mt.bodystring(conn, "Hello.\r\n"))
    done("end", mt.eom(conn))
    answered(conn, action, answer)
    same("another body", mt.eom_check(conn, MT_BODYCHANGE), false)
end

ends("none", SMFIR_ACCEPT)
for _, kind in ipairs({ MT_HDRADD, MT_HDRCHANGE, MT_HDRDELETE, MT_QUARANTINE }) do
    same("an edit that nobody asked for", mt.eom_check(conn, kind), false)
end
same("a tag", mt.eom_check(conn, MT_HDRINSERT, "X-Mailseal-Tag"), false)

-- Fields that only we may write are deleted, whatever their number; those of others stay.
local ours, theirs = "mx.example.org; spf=pass smtp.mailfrom=forged@example.net", "mx.example.net; spf=pass"
ends("none", SMFIR_ACCEPT, { "Authentication-Results", ours }, { "Authentication-Results", theirs },
    { "authentication-results", ours }, { "X-Mailseal-Tag", "forged" })
holds("first forged", mt.eom_check(conn, MT_HDRDELETE, "Authentication-Results", 1))
same("another's", mt.eom_check(conn, MT_HDRDELETE, "Authentication-Results", 2), false)
holds("tag", mt.eom_check(conn, MT_HDRDELETE, "X-Mailseal-Tag", 1))
holds("third forged", mt.eom_check(conn, MT_HDRDELETE, "authentication-results", 3)
    or mt.eom_check(conn, MT_HDRDELETE, "Authentication-Results", 3))

ends("edit", SMFIR_ACCEPT, { "Subject", "Offer" }, { "Reply-To", "x@example.net" }, { "X-Remove", "me" })
holds("subject", mt.eom_check(conn, MT_HDRCHANGE, "Subject", " [EDITED] Offer"))
holds("reply-to", mt.eom_check(conn, MT_HDRCHANGE, "Reply-To", " list@example.org"))
holds("removed", mt.eom_check(conn, MT_HDRDELETE, "X-Remove", 1))
holds("added", mt.eom_check(conn, MT_HDRADD, "X-Added", " word"))

ends("tag", SMFIR_ACCEPT)
holds("tag", mt.eom_check(conn, MT_HDRINSERT, "X-Mailseal-Tag", " tag-me", 0))

ends("copy", SMFIR_ACCEPT)
holds("copy", mt.eom_check(conn, MT_RCPTADD, "<copied@example.org>"))
same("recipient gone", mt.eom_check(conn, MT_RCPTDELETE, "<ann@example.org>"), false)

ends("redirect", SMFIR_ACCEPT)
holds("redirect", mt.eom_check(conn, MT_RCPTADD, "<redirected@example.org>"))
holds("recipient there", mt.eom_check(conn, MT_RCPTDELETE, "<ann@example.org>"))

ends("quarantine", SMFIR_ACCEPT)
holds("quarantine", mt.eom_check(conn, MT_QUARANTINE))
holds("results", mt.eom_check(conn, MT_HDRINSERT, "Authentication-Results"))

-- What is refused or thrown away has no edits.
ends("discard", SMFIR_DISCARD)
same("edits", mt.eom_check(conn, MT_HDRINSERT), false)
ends("reject", SMFIR_REPLYCODE)
holds("reply", mt.eom_check(conn, MT_SMTPREPLY, "550", "5.7.1", "not here"))
same("edits", mt.eom_check(conn, MT_HDRINSERT), false)
ends("tempfail", SMFIR_REPLYCODE)
holds("reply", mt.eom_check(conn, MT_SMTPREPLY, "451", "4.7.1", "not now"))
same("edits", mt.eom_check(conn, MT_HDRINSERT), false)

-- An author domain that asks for it.
conn = session()
message(conn, "joe@example.net")
play(conn, "joe@strict.example")
done("end", mt.eom(conn))
answered(conn, "p=reject", SMFIR_REPLYCODE)
message(conn, "joe@example.net")

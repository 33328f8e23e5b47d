-- What the scripts share: an MTA that checks every answer. A fault ends the script with an error.

-- Protocol options: all of them; all but those that spare an event its reply; what Sendmail 8.13 knew.
ALL_STEPS = 0x1fffff
REPLIES = ALL_STEPS & ~(SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA
    | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY | SMFIP_NR_UNKN | 0x80)
-- With the events that the filter would do without: with their replies, and with none.
ALL_EVENTS = REPLIES & ~(SMFIP_NODATA | SMFIP_NOUNKNOWN)
SPARED_EVENTS = ALL_STEPS & ~(SMFIP_NODATA | SMFIP_NOUNKNOWN)
OLD_STEPS = 0x7f
-- Actions: all of them, and what Sendmail 8.13 knew.
ALL_ACTIONS = 0x1ff
OLD_ACTIONS = 0x3f

-- A call that must succeed.
function done(what, trouble)
    if trouble ~= nil then
        error(what .. ": " .. trouble, 2)
    end
end

-- The last answer must be this one.
function answered(conn, what, wanted)
    local got = mt.getreply(conn)
    if got ~= wanted then
        error(string.format("%s: answered '%c', not '%c'", what, math.tointeger(got), math.tointeger(wanted)), 2)
    end
end

function same(what, got, wanted)
    if got ~= wanted then
        error(string.format("%s: %s, not %s", what, tostring(got), tostring(wanted)), 2)
    end
end

function holds(what, is_so)
    if not is_so then
        error(what, 2)
    end
end

-- A connection that has negotiated. miltertest takes the steps before the actions.
function open(steps, actions, version)
    local conn = mt.connect(socket)
    done("negotiate", mt.negotiate(conn, version or 6, steps or ALL_STEPS, actions or ALL_ACTIONS))
    return conn
end

-- A connection with its client: a stranger.
function session(steps, actions, version)
    local conn = open(steps, actions, version)
    done("connect", mt.conninfo(conn, "client.example.net", "192.0.2.1"))
    done("helo", mt.helo(conn, "client.example.net"))
    return conn
end

-- The steps of a message, in order: names, and what each does for a sender.
STEPS = { "mail", "rcpt", "data", "header", "eoh", "body" }
STEP = {
    mail = function(conn, from) return mt.mailfrom(conn, "<" .. from .. ">") end,
    rcpt = function(conn) return mt.rcptto(conn, "<ann@example.org>") end,
    data = function(conn)
        -- Nothing where the filter does without it.
        return not mt.test_option(conn, SMFIP_NODATA) and mt.data(conn) or nil
    end,
    header = function(conn, from) return mt.header(conn, "From", " " .. from) end,
    eoh = function(conn) return mt.eoh(conn) end,
    body = function(conn) return mt.bodystring(conn, "Hello.\r\n") end,
}

-- The message's steps up to and with this one, or all.
function play(conn, from, last)
    for _, name in ipairs(STEPS) do
        done(name, STEP[name](conn, from))
        if name == last then
            return
        end
    end
end

-- The end of a message of this sender, whose results are told once, on top, and are its own.
function accepted(conn, from)
    done("end", mt.eom(conn))
    answered(conn, "end", SMFIR_ACCEPT)
    local results = mt.getheader(conn, "Authentication-Results", 0)
    holds("no results", results ~= nil)
    holds("results not on top", mt.eom_check(conn, MT_HDRINSERT, "Authentication-Results", results, 0))
    same("second results", mt.getheader(conn, "Authentication-Results", 1), nil)
    holds("results of another: " .. results, results:find("smtp.mailfrom=" .. from, 1, true))
    local _, senders = results:gsub("smtp%.mailfrom", "")
    same("senders in " .. results, senders, 1)
end

-- A whole message.
function message(conn, from)
    play(conn, from)
    accepted(conn, from)
end

-- No answer comes: miltertest gives up.
function silent(what, trouble)
    same(what, trouble, "mt.milter_read() failed")
end

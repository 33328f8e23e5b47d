-- Runs the script that `-D script=FILE` names, with what all share, and says what went wrong: miltertest does not.
--
--   miltertest -D socket=inet:PORT@127.0.0.1 -D lib=tests/miltertest/lib -D script=FILE -s tests/miltertest/lib/run.lua

local is_done, trouble = xpcall(function()
    dofile(lib .. "/mta.lua")
    dofile(script)
end, debug.traceback)
if not is_done then
    io.stderr:write(tostring(trouble), "\n")
    os.exit(1)
end

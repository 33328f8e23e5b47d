//! What all of them have: where they listen, whom they run as, and where they log.

use super::directive::Directive;
use super::draft::Draft;

/// Takes an option that is of the service and not of mail; whether it was one.
pub(super) fn option(draft: &mut Draft, from: &Directive) -> bool {
    match from.key.as_str() {
        "socket" | "milter_socket" | "milersocket" | "miltersocket" => {
            draft.sockets.push(from.value.clone());
        }
        "umask" | "miltersocketmode" | "miltersocketgroup" => draft.change(
            from,
            "Unix sockets of mailseal have milter.socket_mode (0660) and the group of their directory, \
             where that has the setgid bit; a TCP socket is open to milter.allow_peers alone",
        ),
        "userid" | "user" | "changerootdirectory" | "chroot" | "addgroups" => {
            draft.change(from, "mailseal changes neither user nor root: the service manager does");
        }
        "pidfile" | "background" | "foreground" | "autorestart" | "autorestartcount"
        | "autorestartrate" | "basedirectory" | "enablecoredumps" | "fixstalesocket"
        | "maxthreads" => {
            draft.change(from, "left to the service manager: mailseal stays in the foreground");
        }
        "temporarydirectory" | "keeptemporaryfiles" => {
            draft.change(from, "mailseal writes no message to disk");
        }
        "syslog" | "syslogfacility" | "syslogname" | "syslogsuccess" | "logwhy" | "logresults"
        | "milterdebug" | "logfile" | "logfileunlock" | "logfilemaxsize" | "logtime" | "logsyslog"
        | "logfacility" | "logverbose" | "logrotate" | "loginfected" | "logclean" => draft.change(
            from,
            "mailseal logs to standard error, which the journal takes: one line a message, with its \
             reasons ([telemetry])",
        ),
        _ => return false,
    }
    true
}

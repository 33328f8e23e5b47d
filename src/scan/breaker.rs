//! The circuit breaker of one server: after some failures in a row the server rests, and is then
//! tried with one scan.

use std::time::Duration;

use tokio::time::Instant;

/// So many failures in a row make a server rest.
const FAILURES_MAX: u32 = 3;

const REST_MIN: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(30);

/// Whether a server may be asked.
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
}

#[derive(Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
        rest: Duration,
    },
    /// One scan tries whether the server works again.
    HalfOpen {
        rest: Duration,
    },
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self { state: State::Closed { failures: 0 } }
    }

    /// Whether a scan may ask the server now. Of a server that rested, one scan may.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until, rest } if until <= now => {
                self.state = State::HalfOpen { rest };
                true
            }
            State::Open { .. } | State::HalfOpen { .. } => false,
        }
    }

    /// Takes note of an answer; says whether the server is back for that.
    pub(super) fn succeeded(&mut self) -> bool {
        let was_closed = self.is_closed();
        self.state = State::Closed { failures: 0 };
        !was_closed
    }

    /// Takes note of a failure; says for how long the server rests, where it begins to.
    pub(super) fn failed(&mut self, now: Instant) -> Option<Duration> {
        let rest = match &mut self.state {
            State::Closed { failures } => {
                *failures += 1;
                if *failures < FAILURES_MAX {
                    return None;
                }
                REST_MIN
            }
            // What began before it rested, or a probe.
            State::Open { until, rest } => {
                *until = now + *rest;
                return None;
            }
            State::HalfOpen { rest } => (*rest * 2).min(REST_MAX),
        };
        self.state = State::Open { until: now + rest, rest };
        Some(rest)
    }

    /// The scan that was admitted ended without saying anything of the server.
    pub(super) fn gave_up(&mut self, now: Instant) {
        if let State::HalfOpen { rest } = self.state {
            self.state = State::Open { until: now, rest };
        }
    }

    /// The server answered a probe: if it rests, a scan may try it at once.
    pub(super) fn answered(&mut self, now: Instant) {
        if let State::Open { until, .. } = &mut self.state {
            *until = now.min(*until);
        }
    }

    /// Whether scans are admitted without condition.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// `closed`, `open` or `half-open`.
    pub(super) fn state(&self) -> &'static str {
        match self.state {
            State::Closed { .. } => "closed",
            State::Open { .. } => "open",
            State::HalfOpen { .. } => "half-open",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resting(now: Instant) -> Breaker {
        let mut breaker = Breaker::new();
        assert_eq!((breaker.failed(now), breaker.failed(now)), (None, None));
        assert_eq!(breaker.failed(now), Some(REST_MIN));
        breaker
    }

    #[test]
    fn three_failures_in_a_row_open_it() {
        let now = Instant::now();
        let mut breaker = Breaker::new();
        for _ in 0..10 {
            assert_eq!((breaker.failed(now), breaker.failed(now)), (None, None));
            assert!(breaker.admits(now) && !breaker.succeeded());
        }
        assert!(!resting(now).admits(now + REST_MIN / 2));
    }

    #[test]
    fn after_a_rest_one_scan_tries() {
        let now = Instant::now();
        let mut breaker = resting(now);
        let later = now + REST_MIN;
        assert!(breaker.admits(later) && !breaker.admits(later));
        assert!(breaker.succeeded() && breaker.admits(later));
    }

    #[test]
    fn rests_grow_to_a_limit() {
        let mut now = Instant::now();
        let mut breaker = resting(now);
        for secs in [2, 4, 8, 16, 30, 30] {
            now += REST_MAX;
            assert!(breaker.admits(now));
            assert_eq!(breaker.failed(now), Some(Duration::from_secs(secs)));
            assert!(!breaker.admits(now + Duration::from_secs(secs) / 2));
        }
    }

    #[test]
    fn a_trial_that_says_nothing_makes_room_for_the_next() {
        let now = Instant::now();
        let mut breaker = resting(now);
        let later = now + REST_MIN;
        assert!(breaker.admits(later));
        breaker.gave_up(later);
        assert!(breaker.admits(later));
    }

    #[test]
    fn an_answered_probe_ends_the_rest_and_a_failed_one_prolongs_it() {
        let now = Instant::now();
        let mut breaker = resting(now);
        breaker.failed(now + REST_MIN / 2);
        assert!(!breaker.admits(now + REST_MIN));
        breaker.answered(now + REST_MIN);
        assert!(breaker.admits(now + REST_MIN) && breaker.state() == "half-open");
    }
}

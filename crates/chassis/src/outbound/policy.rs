//! How a dependency is called, and how to configure it.

use std::{str::FromStr, time::Duration};

/// How a dependency is called. Each has one variable in the environment, such
/// as `DYNAMODB_POLICY`, with what differs from the defaults here:
/// `attempt=500ms retries=1 open=5s`.
///
/// | setting | default | what it is |
/// |---|---|---|
/// | `connect` | 1s | how long a connection may take to be there |
/// | `attempt` | 2s | how long one attempt may take, connection and all |
/// | `retries` | 2 | how often a failed attempt is made again: 0 to 2 |
/// | `backoff` | 50ms | the most of the pause before the first retry; it doubles with each |
/// | `pause` | 500ms | the most of any pause |
/// | `budget` | 20% | how many retries there may be for 100 requests, over 10 s |
/// | `rate` | 50% | the failures among the attempts that open the breaker |
/// | `window` | 10s | the time over which they are counted |
/// | `calls` | 5 | the attempts that must have been made before a rate means anything |
/// | `open` | 2s | how long the breaker stays open before it lets one probe through |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// A connection inside one data centre takes a millisecond or two; one
    /// second is a packet lost twice.
    pub connect: Duration,
    /// Every dependency here answers in milliseconds: 2 s leaves room for a
    /// cold start behind it, and for a second attempt within a function's 10 s.
    pub attempt: Duration,
    /// What a third attempt does not cure is no glitch.
    pub retries: u32,
    /// A glitch is over in tens of milliseconds.
    pub backoff: Duration,
    /// Nobody waits for a pause of a second, and the time-out is near.
    pub pause: Duration,
    /// Percent. More would make an outage worse for the one that is out.
    pub budget_percent: u32,
    /// Percent. A dependency that fails every other call is no use to anybody.
    pub rate_percent: u32,
    /// Long enough to see a few calls of a quiet function, short enough to
    /// forget yesterday.
    pub window: Duration,
    /// One failure out of one is 100 %, and says nothing.
    pub calls: u32,
    /// The time that healing is delayed by, at the most, and the rate at which
    /// a sick dependency is asked how it is.
    pub open: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            attempt: Duration::from_secs(2),
            retries: 2,
            backoff: Duration::from_millis(50),
            pause: Duration::from_millis(500),
            budget_percent: 20,
            rate_percent: 50,
            window: Duration::from_secs(10),
            calls: 5,
            open: Duration::from_secs(2),
        }
    }
}

impl Policy {
    /// The most retries that a policy may have.
    pub const MOST_RETRIES: u32 = 2;

    /// The pause before retry number `retry`, counted from 0: anything from
    /// nothing to twice the last one's most ("full jitter", so that clients
    /// that failed together do not come back together).
    /// Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
    #[must_use]
    pub fn pause(&self, retry: u32) -> Duration {
        let most = self
            .backoff
            .saturating_mul(1 << retry.min(16))
            .min(self.pause);
        most.mul_f64(fastrand::f64())
    }

    /// This policy with the settings in `text` changed.
    ///
    /// # Errors
    ///
    /// In words, at the first setting that is unknown or malformed.
    pub fn with(mut self, text: &str) -> Result<Self, String> {
        for setting in text.split_ascii_whitespace() {
            let (name, value) = setting
                .split_once('=')
                .ok_or_else(|| format!("{setting} is no setting=value"))?;
            let fault = |what: &str| format!("{name} must be {what}, not {value}");
            let time = |of: &mut Duration| {
                *of = duration(value).ok_or_else(|| fault("a time such as 250ms or 2s"))?;
                Ok::<(), String>(())
            };
            match name {
                "connect" => time(&mut self.connect)?,
                "attempt" => time(&mut self.attempt)?,
                "backoff" => time(&mut self.backoff)?,
                "pause" => time(&mut self.pause)?,
                "window" => time(&mut self.window)?,
                "open" => time(&mut self.open)?,
                "retries" => {
                    let retries = number(value).filter(|&retries| retries <= Self::MOST_RETRIES);
                    self.retries = retries.ok_or_else(|| fault("0, 1 or 2"))?;
                }
                "calls" => {
                    let calls = number(value).filter(|&calls| calls > 0);
                    self.calls = calls.ok_or_else(|| fault("a number above 0"))?;
                }
                "budget" => {
                    self.budget_percent =
                        percent(value).ok_or_else(|| fault("a share such as 20%"))?;
                }
                "rate" => {
                    let rate = percent(value).filter(|&rate| rate > 0);
                    self.rate_percent = rate.ok_or_else(|| fault("a share such as 50%"))?;
                }
                _ => return Err(format!("{name} is no setting")),
            }
        }
        Ok(self)
    }
}

/// The defaults, changed by what the text says.
impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::default().with(text)
    }
}

fn number(text: &str) -> Option<u32> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn percent(text: &str) -> Option<u32> {
    number(text.strip_suffix('%')?).filter(|&percent| percent <= 100)
}

fn duration(text: &str) -> Option<Duration> {
    let milliseconds = text.strip_suffix("ms").and_then(number).map(u64::from);
    let seconds = || {
        text.strip_suffix('s')
            .and_then(number)
            .map(|seconds| u64::from(seconds) * 1_000)
    };
    milliseconds
        .or_else(seconds)
        .filter(|&ms| ms > 0)
        .map(Duration::from_millis)
}

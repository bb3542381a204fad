//! Counts what a check claims, so that one broken claim does not hide the next.

use std::fmt::Display;

use anyhow::{Result, bail};

/// How many broken claims are printed one by one.
const SHOWN: usize = 20;

/// The claims of one check so far.
#[derive(Default)]
pub(crate) struct Claims {
    made: usize,
    broken: usize,
}

impl Claims {
    /// Counts a claim, and prints `what` when it does not hold.
    pub(crate) fn that(&mut self, holds: bool, what: impl Display) {
        self.made += 1;
        if !holds {
            self.broken += 1;
            if self.broken <= SHOWN {
                // A value of the metadata can be a whole vocabulary.
                println!("  broken: {:.400}", what.to_string());
            }
        }
    }

    /// # Errors
    /// A claim was broken, or none was made: a check that looked at nothing has not passed.
    pub(crate) fn settle(self) -> Result<()> {
        match self {
            Self { made: 0, .. } => bail!("nothing was compared"),
            Self { broken: 0, .. } => Ok(()),
            Self { made, broken } => bail!("{broken} of {made} claims are broken"),
        }
    }
}

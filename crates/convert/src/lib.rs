//! From a checkpoint to a GGUF file.
//!
//! * [`source`]: where weights come from; [`model`] and [`tokenizer`]: what a checkpoint's names and files
//!   mean; [`recipe`]: which type each tensor gets; [`imatrix`]: which of its columns matter most.
//! * [`plan`] puts them together from headers alone; [`run`] carries a plan out.
//! * [`verify`] proves that a file is right, [`integrity`] that it is what was written.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::atomic::AtomicBool;
//!
//! use briq_convert::plan::{Plan, PlanOptions};
//! use briq_convert::recipe::Recipe;
//! use briq_convert::run::{RunOptions, run};
//!
//! let plan = Plan::new(Path::new("Llama-3.2-1B"), &PlanOptions::new(Recipe::Q4_K_M))?;
//! println!("{} tensors, {} bytes", plan.tensors.len(), plan.file.file_bytes());
//! run(&plan, Path::new("model.gguf"), &RunOptions::default(), &(), &AtomicBool::new(false))?;
//! # Ok::<(), briq_convert::Error>(())
//! ```

mod change;
mod complete;
mod error;
mod gather;
pub mod imatrix;
pub mod integrity;
pub mod json;
mod mapping;
pub mod model;
mod output;
mod pieces;
mod pipeline;
pub mod plan;
pub mod recipe;
pub mod run;
pub mod source;
pub mod tokenizer;
pub mod verify;
mod weights;

pub use error::{Error, Result};
pub use output::{check_in_place, check_no_input, check_output, default_file_name};
pub use weights::Origin;

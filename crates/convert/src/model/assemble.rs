//! Putting a checkpoint's tensors in their places: each becomes part of a tensor of the file or is left out for a
//! stated reason, and everything that the family requires is there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use super::arrange::Tensor;
use super::tensor::{Found, Stack, TensorRow};
use super::view::{Arranged, Slice};
use super::{Generated, Model};
use crate::{Error, Result};

/// Everything the file will hold, and what it will not.
#[derive(Debug, Default)]
pub struct Assembly {
    /// The tensors in the order of the file.
    pub written: Vec<Assembled>,
    /// Source tensors that are left out, by their index, and why.
    pub dropped: Vec<(usize, &'static str)>,
}

/// A tensor of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Assembled {
    /// Its name.
    pub name: String,
    /// Its shape, outermost dimension first.
    pub shape: Vec<u64>,
    /// What it is made of.
    pub made_of: MadeOf,
}

/// What a tensor of the file is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum MadeOf {
    /// A source tensor, by its index, number for number.
    Source(usize),
    /// Parts of source tensors, each by its index, one behind the other.
    Slices(Vec<(usize, Slice)>),
    /// Blocks of MXFP4, of whose rows every `step`-th from `first` on is taken.
    Mxfp4 {
        /// The source tensor with the codes, by its index.
        blocks: usize,
        /// The source tensor with the scales.
        scales: usize,
        /// The first row.
        first: u64,
        /// Rows from one to the next.
        step: u64,
    },
    /// Numbers computed from the config.
    Values(Vec<f32>),
}

/// A tensor of the source, as its header has it.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its shape, outermost dimension first.
    pub shape: &'a [u64],
    /// The file it is in, for messages.
    pub file: &'a Path,
}

/// The most names of a kind that an error lists.
const LISTED: usize = 8;

impl Model {
    /// Puts all tensors of a checkpoint, in the order of their files, in their places.
    ///
    /// # Errors
    ///
    /// When one has no place, contradicts the config, or has the place of another, or when one that the family
    /// requires is missing; tensors without a place and places without a tensor are listed together.
    pub fn assemble(&self, tensors: &[Given<'_>]) -> Result<Assembly> {
        let mut desk = Desk::new(self);
        let mut homeless = Vec::new();
        for (index, given) in tensors.iter().enumerate() {
            if !desk.place(index, given)? {
                homeless.push(given.name);
            }
        }
        let mut assembly = desk.finish()?;
        let missing = self.missing(&assembly)?;
        if !homeless.is_empty() || !missing.is_empty() {
            return Err(self.unaccounted(&homeless, &missing));
        }
        let generated = (self.family.generated)(&self.config)?.into_iter();
        let generated = generated.map(|Generated { name, shape, values }| Assembled {
            name,
            shape,
            made_of: MadeOf::Values(values),
        });
        assembly.written.splice(0..0, generated);
        Ok(assembly)
    }

    /// The names that the family requires and that are not written: the first few.
    fn missing(&self, assembly: &Assembly) -> Result<Vec<String>> {
        let written: HashSet<&str> = assembly.written.iter().map(|tensor| tensor.name.as_str()).collect();
        let mut missing: Vec<String> = Vec::new();
        for row in self.family.rows() {
            // Every layer has a tensor at least, so that a config that claims more layers than there are tensors is
            // found out by then, and costs no more than they do.
            let layers = match row.is_per_layer() {
                true => (row.layers)(&self.config)?.min(written.len() as u64 + 1),
                false => 1,
            };
            for layer in row.only_layer.map_or(0..layers, |only| only..only + 1) {
                for name in row.required(&self.config, layer)? {
                    if !written.contains(name.as_str()) && !missing.contains(&name) {
                        missing.push(name);
                    }
                }
                if missing.len() > LISTED {
                    return Ok(missing);
                }
            }
        }
        Ok(missing)
    }

    fn unaccounted(&self, homeless: &[&str], missing: &[String]) -> Error {
        let arch = self.family.arch;
        let list = |names: &[&str]| {
            let quoted: Vec<String> = names.iter().take(LISTED).map(|name| format!("{name:?}")).collect();
            let more = if names.len() > LISTED { ", and more" } else { "" };
            quoted.join(", ") + more
        };
        let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
        let mut problems = Vec::new();
        if !homeless.is_empty() {
            let (subject, rest, it) = match homeless.len() {
                1 => ("tensor", "has no place", "it"),
                _ => ("tensors", "have no place", "they"),
            };
            problems.push(format!(
                "{subject} {} {rest} in the architecture {arch}, so {it} would end up nowhere",
                list(homeless)
            ));
        }
        if !missing.is_empty() {
            problems.push(format!(
                "no tensor becomes {}, which the architecture {arch} requires",
                list(&missing)
            ));
        }
        Error::bad(&self.directory, problems.join("; "))
    }
}

/// Where tensors are sorted. A tensor of the file stands where the last of its sources stood; one that is made
/// before all others comes first.
struct Desk<'m> {
    model: &'m Model,
    /// By place: whether it comes after those made first, the index of the last source, the row.
    done: BTreeMap<(bool, usize, usize), Assembled>,
    stacks: BTreeMap<(usize, Option<u64>, bool), Members>,
    dropped: Vec<(usize, &'static str)>,
    /// Which source became which name.
    taken: HashMap<String, String>,
}

/// The source tensors of a stack so far.
struct Members {
    target: String,
    shape: Vec<u64>,
    /// By their number: the index of the source tensor and its parts.
    members: BTreeMap<u64, (usize, Arranged)>,
}

impl<'m> Desk<'m> {
    fn new(model: &'m Model) -> Self {
        let (done, stacks) = (BTreeMap::new(), BTreeMap::new());
        Self { model, done, stacks, dropped: Vec::new(), taken: HashMap::new() }
    }

    /// Puts a tensor in its places; no when it has none.
    fn place(&mut self, index: usize, given: &Given<'_>) -> Result<bool> {
        let (family, config) = (self.model.family, &self.model.config);
        let canonical = family.canonical_name(given.name, config);
        if let Some(reason) = self.model.drops(&canonical)? {
            self.dropped.push((index, reason));
            return Ok(true);
        }
        let mut is_known = false;
        for (number, row) in family.rows().enumerate() {
            let Some(found) = row.find(&canonical) else { continue };
            if let Some(layer) = found.layer
                && layer >= (row.layers)(config)?
            {
                continue;
            }
            is_known = true;
            self.put(index, given, number, row, found)?;
        }
        Ok(is_known)
    }

    fn put(
        &mut self,
        index: usize,
        given: &Given<'_>,
        number: usize,
        row: &TensorRow,
        found: Found,
    ) -> Result<()> {
        let config = &self.model.config;
        let Given { name, shape, file } = *given;
        let bad = |problem: String| Error::bad(file, format!("tensor {name:?} {problem}"));
        let expected = expected_shape(row, &found, config)?;
        let fits = match (row.has_spare_rows, shape, &expected[..]) {
            (true, [rows, rest @ ..], [least, others @ ..]) => rows >= least && rest == others,
            _ => shape == expected,
        };
        if !fits {
            let more = if row.has_spare_rows { " or more rows" } else { "" };
            return Err(bad(format!("has shape {shape:?}, but config.json asks for {expected:?}{more}")));
        }
        let member = found.member.filter(|_| !matches!(row.stack, Stack::None));
        if let Some(member) = member {
            let count = member_count(row, config)?;
            if member >= count {
                return Err(bad(format!(
                    "is number {member} of its kind, but config.json has {count}, from 0 on"
                )));
            }
        } else if let Some(other) = self.taken.get(&found.target) {
            return Err(bad(format!("becomes {:?}, and so does {other:?}", found.target)));
        }
        let arranged = match row.stack {
            // Blocks are rearranged as they are read.
            Stack::Mxfp4(..) => Arranged { shape: shape.to_vec(), slices: Vec::new() },
            _ => (row.arrange)(&Tensor { name, shape, config }).map_err(|error| match error {
                Error::Unsupported(problem) => Error::bad(file, problem),
                other => other,
            })?,
        };
        match member {
            None => {
                self.taken.insert(found.target.clone(), name.to_owned());
                let made_of = match arranged.is_unchanged() {
                    true => MadeOf::Source(index),
                    false => {
                        MadeOf::Slices(arranged.slices.into_iter().map(|slice| (index, slice)).collect())
                    }
                };
                let assembled = Assembled { name: found.target, shape: arranged.shape, made_of };
                self.done.insert((true, index, number), assembled);
            }
            Some(member) => {
                let key = (number, found.layer, found.is_bias);
                let stack = self.stacks.entry(key).or_insert_with(|| Members {
                    target: found.target.clone(),
                    shape: arranged.shape.clone(),
                    members: BTreeMap::new(),
                });
                if stack.members.insert(member, (index, arranged)).is_some() {
                    return Err(bad(format!("is the second of its kind in {:?}", found.target)));
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Assembly> {
        let rows: Vec<&TensorRow> = self.model.family.rows().collect();
        // Stacks of one group, as the three of the experts of a layer, stand together where the last of all their
        // sources stood.
        let mut last_of: HashMap<(&str, Option<u64>), usize> = HashMap::new();
        for ((number, layer, _), stack) in &self.stacks {
            let last = stack.members.values().map(|(index, _)| *index).max().unwrap_or(0);
            let entry = last_of.entry((group(rows[*number]), *layer)).or_insert(last);
            *entry = last.max(*entry);
        }
        for ((number, layer, _), stack) in std::mem::take(&mut self.stacks) {
            let row = rows[number];
            let count = member_count(row, &self.model.config)?;
            if (stack.members.len() as u64) < count {
                let absent = (0..count).find(|member| !stack.members.contains_key(member)).unwrap_or(0);
                return Err(Error::bad(
                    &self.model.directory,
                    format!(
                        "{:?} is made of {count} tensors, of which {} are there; the first that is missing is number \
                         {absent}",
                        stack.target,
                        stack.members.len()
                    ),
                ));
            }
            if let Some(other) = self.taken.insert(stack.target.clone(), row.source.to_owned()) {
                let problem = format!("{other:?} and {:?} both become {:?}", row.source, stack.target);
                return Err(Error::bad(&self.model.directory, problem));
            }
            let place = last_of.get(&(group(row), layer)).copied().unwrap_or(0);
            let is_ordinary = !matches!(row.stack, Stack::Mxfp4(..));
            let assembled = stack.assembled(row, count)?;
            self.done.insert((is_ordinary, place, number), assembled);
        }
        Ok(Assembly { written: self.done.into_values().collect(), dropped: self.dropped })
    }
}

impl Members {
    fn assembled(self, row: &TensorRow, count: u64) -> Result<Assembled> {
        let Self { target: name, mut shape, members } = self;
        if let Stack::Mxfp4(first, step) = row.stack {
            let index_of = |member: u64| members.get(&member).map_or(0, |(index, _)| *index);
            let (blocks, scales) = (index_of(0), index_of(1));
            // That of the blocks, which may come after the scales: [experts, rows, blocks of a row, bytes of a block].
            // The last two are a row of numbers.
            let shape = members.get(&0).map_or(&shape, |(_, blocks)| &blocks.shape);
            let [experts, rows, row_blocks, _] = shape[..] else {
                return Err(Error::unsupported(format!("{name:?}: blocks of shape {shape:?}")));
            };
            if rows % step != 0 {
                return Err(Error::unsupported(format!(
                    "{name:?}: {rows} rows are not {step} kinds of rows"
                )));
            }
            let shape = vec![experts, rows / step, row_blocks.saturating_mul(32)];
            return Ok(Assembled { name, shape, made_of: MadeOf::Mxfp4 { blocks, scales, first, step } });
        }
        let slices = members.into_values();
        let slices =
            slices.flat_map(|(index, arranged)| arranged.slices.into_iter().map(move |slice| (index, slice)));
        let made_of = MadeOf::Slices(slices.collect());
        shape.insert(0, count);
        Ok(Assembled { name, shape, made_of })
    }
}

/// What the rows of a group have in common: the source's name up to the number or the name of a member.
fn group(row: &TensorRow) -> &'static str {
    let end = row.source.find(".E.").or_else(|| row.source.find("{}"));
    &row.source[..end.unwrap_or(row.source.len())]
}

/// How many tensors a stack has.
fn member_count(row: &TensorRow, config: &super::Config) -> Result<u64> {
    match row.stack {
        Stack::None => Ok(1),
        Stack::Numbers(count) => count(config),
        Stack::Names(names) => Ok(names.len() as u64),
        Stack::Mxfp4(..) => Ok(2),
    }
}

/// The shape that the config implies for a source tensor.
fn expected_shape(row: &TensorRow, found: &Found, config: &super::Config) -> Result<Vec<u64>> {
    let dimensions = match (found.is_bias, row.has_bias_of_columns) {
        (false, _) => row.shape,
        (true, false) => row.shape.get(..1).unwrap_or_default(),
        (true, true) => row.shape.last().map(std::slice::from_ref).unwrap_or_default(),
    };
    let mut shape = dimensions.iter().map(|dimension| dimension(config)).collect::<Result<Vec<_>>>()?;
    if let (Stack::Mxfp4(..), Some(columns)) = (row.stack, shape.last_mut()) {
        if *columns % 32 != 0 {
            let problem = format!("rows of {columns} numbers are no whole MXFP4 blocks of 32");
            return Err(config.bad(problem));
        }
        *columns /= 32;
        if found.member == Some(0) {
            shape.push(16);
        }
    }
    Ok(shape)
}

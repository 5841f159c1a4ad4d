//! The arithmetic of each step, over all lanes of a block.
//!
//! The kernels are plain loops; what makes them fast is that the compiler turns each into vector instructions. They are compiled
//! once for every instruction set below. None of them fuses multiplication and addition (it would bring nothing here: stores
//! are the limit), so that **all instruction sets give the same bits**.
//!
//! Each kernel is a function that isn't inlined on purpose: its `&mut` arguments tell the compiler that nothing overlaps. Inlined
//! into the walk they would lose that, and vectorise behind run-time checks or not at all.

use crate::categories::Categories;
use crate::lanes::{LANES, Lanes, MISSING};
use crate::program::{LEFT, OFF, Program, RIGHT, Split, Step, Test};

/// Most quadrature points that one pass over a tree carries; trees that need more are walked several times.
const MAX_POINTS: usize = 5;

/// An instruction set that the kernels are compiled for and this processor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instructions(Set);

/// Private, so that nobody outside can name a set that the processor doesn't have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    /// What every processor of the target has.
    Portable,
    /// 256-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Instructions {
    /// Those that this processor has, the best last.
    pub(crate) fn available() -> Vec<Self> {
        let mut all = vec![Self(Set::Portable)];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            all.push(Self(Set::Avx2));
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("avx512dq") {
                all.push(Self(Set::Avx512));
            }
        }
        all
    }

    /// The best that this processor has.
    pub(crate) fn best() -> Self {
        Self::available().last().copied().unwrap_or(Self(Set::Portable))
    }

    /// Adds a tree's contributions to those in the scratch space.
    #[allow(unsafe_code)]
    pub(crate) fn run(self, program: &Program, scratch: &mut Scratch) {
        match self.0 {
            Set::Portable => portable::run(program, scratch),
            // SAFETY: the function is safe code; the one condition of calling it is that the processor has AVX2, and only
            // `available` makes this value, after asking the processor.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::run(program, scratch) },
            // SAFETY: as above, for AVX2 and the three parts of AVX-512.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::run(program, scratch) },
        }
    }
}

/// What a walk needs beside the tree: one a thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scratch {
    /// The block's columns.
    pub(crate) columns: Vec<Lanes<i32>>,
    /// Contributions by feature.
    pub(crate) contributions: Vec<Lanes<f64>>,
    /// `w·P(u)` by depth and point.
    path: Vec<Lanes<f64>>,
    /// `S(u)` by place and point.
    below: Vec<Lanes<f64>>,
    /// `o − z` of the first child by depth.
    gains: Vec<Lanes<f64>>,
    /// The side taken, by depth.
    sides: Vec<Lanes<i32>>,
    /// A categorical split's sides.
    chosen: Vec<Lanes<i32>>,
}

impl Scratch {
    /// Room for trees of a depth.
    pub(crate) fn new(columns: usize, features: usize, depth: usize) -> Self {
        let (none, zero) = (Lanes([0; LANES]), Lanes([0.0; LANES]));
        Self {
            columns: vec![none; columns],
            contributions: vec![zero; features],
            path: vec![zero; depth * MAX_POINTS],
            below: vec![zero; 2 * depth * MAX_POINTS],
            gains: vec![zero; depth],
            sides: vec![none; depth],
            chosen: vec![none],
        }
    }
}

/// Writes the module of one instruction set: the kernels and the walk that calls them.
macro_rules! kernels {
    ($name:ident $(, #[$feature:meta])?) => {
        mod $name {
            use super::*;

            type Values = Lanes<f64>;

            /// Which side each row takes at a split, as `o − z` of the first child.
            $(#[$feature])?
            #[inline(never)]
            fn decide(column: &Lanes<i32>, key: i32, gains: (f64, f64), out: &mut Values) {
                for l in 0..LANES {
                    out.0[l] = if column.0[l] < key { gains.0 } else { gains.1 };
                }
            }

            /// The same for a split on whose feature the path splits again further down.
            $(#[$feature])?
            #[inline(never)]
            fn decide_and_remember(column: &Lanes<i32>, key: i32, gains: (f64, f64), out: &mut Values, sides: &mut Lanes<i32>) {
                for l in 0..LANES {
                    let left = column.0[l] < key;
                    out.0[l] = if left { gains.0 } else { gains.1 };
                    sides.0[l] = if left { LEFT } else { RIGHT };
                }
            }

            /// The same for a split on whose feature the path has split before: a row that took the other side there has `o = 0` on
            /// both sides here, and nothing changes for it.
            $(#[$feature])?
            #[inline(never)]
            fn decide_again(
                column: &Lanes<i32>,
                key: i32,
                gains: (f64, f64),
                above: (&Lanes<i32>, i32),
                out: &mut Values,
                sides: &mut Lanes<i32>,
            ) {
                for l in 0..LANES {
                    let left = column.0[l] < key;
                    let on = above.0.0[l] == above.1;
                    let gain = if left { gains.0 } else { gains.1 };
                    let side = if left { LEFT } else { RIGHT };
                    out.0[l] = if on { gain } else { 0.0 };
                    sides.0[l] = if on { side } else { OFF };
                }
            }

            /// `P` of the first child.
            $(#[$feature])?
            #[inline(never)]
            fn descend<const Q: usize>(a: &[f64; Q], share: f64, gain: &Values, path: &[Values; Q], first: &mut [Values; Q]) {
                for l in 0..LANES {
                    for q in 0..Q {
                        first[q].0[l] = path[q].0[l] * (a[q] * gain.0[l] + share);
                    }
                }
            }

            /// `P` of the second child, over that of the first: the factors of the two add up to one.
            $(#[$feature])?
            #[inline(never)]
            fn turn<const Q: usize>(path: &[Values; Q], child: &mut [Values; Q]) {
                for l in 0..LANES {
                    for q in 0..Q {
                        child[q].0[l] = path[q].0[l] - child[q].0[l];
                    }
                }
            }

            /// The contribution and `S` of a split above two leaves.
            $(#[$feature])?
            #[inline(never)]
            fn pair<const Q: usize>(
                constants: (&[f64; Q], &[f64; Q]),
                leaves: (f64, f64),
                gain: &Values,
                path: &[Values; Q],
                out: &mut [Values; Q],
                contribution: &mut Values,
            ) {
                let ((a, b), (difference, mean)) = (constants, leaves);
                for l in 0..LANES {
                    let gained = gain.0[l] * difference;
                    let mut sum = 0.0;
                    for q in 0..Q {
                        sum += path[q].0[l] * b[q];
                        out[q].0[l] = a[q] * gained + mean;
                    }
                    contribution.0[l] += sum * gained;
                }
            }

            /// The same for a split whose second child is a leaf.
            $(#[$feature])?
            #[inline(never)]
            #[allow(clippy::too_many_arguments)]
            fn ascend_one<const Q: usize>(
                constants: (&[f64; Q], &[f64; Q]),
                share: f64,
                leaf: f64,
                gain: &Values,
                path: &[Values; Q],
                first: &[Values; Q],
                out: &mut [Values; Q],
                contribution: &mut Values,
            ) {
                let (a, b) = constants;
                for l in 0..LANES {
                    let mut sum = 0.0;
                    for q in 0..Q {
                        let difference = first[q].0[l] - leaf;
                        sum += path[q].0[l] * b[q] * difference;
                        out[q].0[l] = (a[q] * gain.0[l] + share) * difference + leaf;
                    }
                    contribution.0[l] += sum * gain.0[l];
                }
            }

            /// The same for a split above two splits.
            $(#[$feature])?
            #[inline(never)]
            #[allow(clippy::too_many_arguments)]
            fn ascend_two<const Q: usize>(
                constants: (&[f64; Q], &[f64; Q]),
                share: f64,
                gain: &Values,
                path: &[Values; Q],
                children: (&[Values; Q], &[Values; Q]),
                out: &mut [Values; Q],
                contribution: &mut Values,
            ) {
                let ((a, b), (first, second)) = (constants, children);
                for l in 0..LANES {
                    let mut sum = 0.0;
                    for q in 0..Q {
                        let difference = first[q].0[l] - second[q].0[l];
                        sum += path[q].0[l] * b[q] * difference;
                        out[q].0[l] = (a[q] * gain.0[l] + share) * difference + second[q].0[l];
                    }
                    contribution.0[l] += sum * gain.0[l];
                }
            }

            $(#[$feature])?
            fn take_sides(program: &Program, split: &Split, scratch: &mut Scratch) {
                let column = &scratch.columns[split.column as usize];
                let (column, key) = match split.test {
                    Test::Below(key) => (column, key),
                    Test::Category { set, default_left } => {
                        choose(column, &program.sets[set as usize], default_left, &mut scratch.chosen[0]);
                        (&scratch.chosen[0], RIGHT)
                    }
                };
                let depth = split.depth as usize;
                let gains = (split.gain_left, split.gain_right);
                let out = &mut scratch.gains[depth];
                match split.above {
                    Some((above, side)) => {
                        let (before, here) = scratch.sides.split_at_mut(depth);
                        decide_again(column, key, gains, (&before[above as usize], side), out, &mut here[0]);
                    }
                    None if split.remembered => decide_and_remember(column, key, gains, out, &mut scratch.sides[depth]),
                    None => decide(column, key, gains, out),
                }
            }

            /// Walks a tree with `Q` of its points, from `start` on.
            $(#[$feature])?
            fn walk<const Q: usize>(program: &Program, start: usize, scratch: &mut Scratch) {
                let points = program.weights.len();
                for q in 0..Q {
                    scratch.path[q] = Lanes([program.weights[start + q]; LANES]);
                }
                for step in &program.steps {
                    let (Step::Pair(at) | Step::Descend(at) | Step::Turn(at) | Step::AscendOne(at) | Step::AscendTwo(at)) = *step;
                    let split = &program.splits[at as usize];
                    let (depth, out) = (split.depth as usize, split.out as usize);
                    let constants = &program.constants[split.constants + start..];
                    let a: [f64; Q] = std::array::from_fn(|q| constants[q]);
                    let b: [f64; Q] = std::array::from_fn(|q| constants[points + q]);
                    if matches!(step, Step::Pair(_) | Step::Descend(_)) {
                        take_sides(program, split, scratch);
                    }
                    let gain = &scratch.gains[depth];
                    let (path, path_below) = scratch.path.as_chunks_mut::<Q>().0.split_at_mut(depth + 1);
                    let path = &path[depth];
                    let (above, below) = scratch.below.as_chunks_mut::<Q>().0.split_at_mut(2 * (depth + 1));
                    let out = &mut above[out];
                    let contribution = &mut scratch.contributions[split.feature as usize];
                    match step {
                        Step::Pair(_) => pair((&a, &b), (split.value, split.mean), gain, path, out, contribution),
                        Step::Descend(_) => descend(&a, split.share, gain, path, &mut path_below[0]),
                        Step::Turn(_) => turn(path, &mut path_below[0]),
                        Step::AscendOne(_) => ascend_one((&a, &b), split.share, split.value, gain, path, &below[0], out, contribution),
                        Step::AscendTwo(_) => ascend_two((&a, &b), split.share, gain, path, (&below[0], &below[1]), out, contribution),
                    }
                }
            }

            $(#[$feature])?
            pub(super) fn run(program: &Program, scratch: &mut Scratch) {
                let points = program.weights.len();
                let mut start = 0;
                while start < points {
                    // Passes of about the same size.
                    let passes = (points - start).div_ceil(MAX_POINTS);
                    let size = (points - start).div_ceil(passes);
                    match size {
                        1 => walk::<1>(program, start, scratch),
                        2 => walk::<2>(program, start, scratch),
                        3 => walk::<3>(program, start, scratch),
                        4 => walk::<4>(program, start, scratch),
                        _ => walk::<MAX_POINTS>(program, start, scratch),
                    }
                    start += size;
                }
            }
        }
    };
}

kernels!(portable);
#[cfg(target_arch = "x86_64")]
kernels!(avx2, #[target_feature(enable = "avx2")]);
#[cfg(target_arch = "x86_64")]
kernels!(avx512, #[target_feature(enable = "avx2,avx512f,avx512vl,avx512dq")]);

/// Which side each row takes at a categorical split.
pub(crate) fn choose(column: &Lanes<i32>, to_right: &Categories, default_left: bool, out: &mut Lanes<i32>) {
    for (category, side) in column.0.iter().zip(&mut out.0) {
        let goes_right = if *category == MISSING { !default_left } else { to_right.has(*category) };
        *side = if goes_right { RIGHT } else { LEFT };
    }
}

//! The order of joins.
//!
//! Inner joins are flattened into relations and conjuncts. Left, semi, anti, mark and single joins whose right side stands alone are
//! satellites: each waits for the relations that its condition reads, then may be joined at any point, since it neither
//! needs nor disturbs the others (a left join keeps its rows, a semi join only drops rows of the left). So Q18's `IN` filters orders
//! before lineitem is joined.
//!
//! Up to [`EXHAUSTIVE_MAX`] members all connected subsets are tried (dynamic programming, bushy trees); beyond that
//! the cheapest next join is taken, greedily. The cost is the rows of every intermediate result plus what hash joins build.

use crate::column_set::ColumnSet;
use crate::cost::Estimator;
use crate::expr::{ColumnId, Expr};
use crate::logical::{Join, Logical};
use crate::lower::join_key;
use crate::physical::JoinKind;

/// The most relations and satellites whose orders are all tried.
const EXHAUSTIVE_MAX: usize = 9;
/// The most members of one graph; what is beyond joins in the order of the text.
const MEMBERS_MAX: usize = 60;

/// Orders the joins of a plan.
pub(crate) fn order(plan: &mut Logical, estimator: &Estimator<'_>) {
    if let Logical::Join(join) = plan
        && is_graph(join)
    {
        let whole = std::mem::replace(plan, Logical::one_row());
        let mut graph = Graph::default();
        let mut filters = vec![];
        graph.collect(whole, &mut filters);
        graph.predicates.append(&mut filters);
        for member in &mut graph.members {
            order(&mut member.plan, estimator);
        }
        *plan = graph.solve(estimator);
        return;
    }
    if let Logical::Filter { input, predicates } = plan
        && matches!(&**input, Logical::Join(join) if is_graph(join))
        && !predicates.iter().any(Expr::is_volatile)
    {
        let whole = std::mem::replace(&mut **input, Logical::one_row());
        let mut filters = std::mem::take(predicates);
        let mut graph = Graph::default();
        graph.collect(whole, &mut filters);
        graph.predicates.append(&mut filters);
        for member in &mut graph.members {
            order(&mut member.plan, estimator);
        }
        *plan = graph.solve(estimator);
        return;
    }
    for input in plan.inputs_mut() {
        order(input, estimator);
    }
}

/// Whether a join takes part in ordering.
fn is_graph(join: &Join) -> bool {
    let independent = !join.right.free_columns().intersects(&join.left.output_set());
    let movable = !join.predicates.iter().any(Expr::is_volatile);
    independent
        && movable
        && match join.kind {
            JoinKind::Inner
            | JoinKind::Left
            | JoinKind::Semi
            | JoinKind::Anti
            | JoinKind::Mark
            | JoinKind::Single => true,
            JoinKind::NullAwareAnti | JoinKind::Right | JoinKind::Full => false,
        }
}

/// A relation or a satellite.
struct Member {
    plan: Logical,
    /// What it gives.
    columns: ColumnSet,
    /// For a satellite: how it joins.
    satellite: Option<Satellite>,
}

struct Satellite {
    kind: JoinKind,
    predicates: Vec<Expr>,
    mark: Option<ColumnId>,
    /// Members that must be there first.
    requires: u64,
}

#[derive(Default)]
struct Graph {
    members: Vec<Member>,
    predicates: Vec<Expr>,
    /// From here on the predicates are derived ones.
    derived: usize,
}

/// The best way found to join a set of members.
#[derive(Clone, Copy)]
struct Entry {
    cost: f64,
    rows: f64,
    /// Left and right set; equal to (0, 0) for a single member.
    split: (u64, u64),
}

impl Graph {
    fn collect(&mut self, plan: Logical, filters: &mut Vec<Expr>) {
        match plan {
            Logical::Join(join) if is_graph(&join) && self.members.len() < MEMBERS_MAX => {
                let Join { kind, left, right, predicates, mark, .. } = join;
                if kind == JoinKind::Inner {
                    self.collect(*left, filters);
                    self.collect(*right, filters);
                    filters.extend(predicates);
                    return;
                }
                self.collect(*left, filters);
                let mut columns =
                    if kind.gives_right() { right.output_set() } else { ColumnSet::default() };
                columns.extend(mark);
                let satellite = Satellite { kind, predicates, mark, requires: 0 };
                self.members.push(Member { plan: *right, columns, satellite: Some(satellite) });
            }
            Logical::Filter { input, predicates }
                if matches!(&*input, Logical::Join(join) if is_graph(join))
                    && !predicates.iter().any(Expr::is_volatile) =>
            {
                self.collect(*input, filters);
                filters.extend(predicates);
            }
            plan => {
                let columns = plan.output_set();
                self.members.push(Member { plan, columns, satellite: None });
            }
        }
    }

    /// Members whose columns an expression reads.
    fn reads(&self, columns: &ColumnSet) -> u64 {
        let mut mask = 0;
        for (index, member) in self.members.iter().enumerate() {
            if member.columns.intersects(columns) {
                mask |= 1 << index;
            }
        }
        mask
    }

    fn solve(mut self, estimator: &Estimator<'_>) -> Logical {
        let count = self.members.len();
        // What a satellite's condition reads besides its own columns must be there first; with nothing, the first relation.
        for index in 0..count {
            let own = self.members[index].plan.output_set();
            let Some(satellite) = &self.members[index].satellite else {
                continue;
            };
            let mut read = ColumnSet::default();
            satellite.predicates.iter().for_each(|predicate| predicate.add_columns(&mut read));
            read.subtract(&own);
            let mut requires = self.reads(&read) & !(1 << index);
            if requires == 0 {
                requires = 1;
            }
            // A scalar subquery raises when it gives two rows: only for rows that the joins keep (N2).
            if self.members[index]
                .satellite
                .as_ref()
                .is_some_and(|satellite| satellite.kind == JoinKind::Single)
            {
                for (other, member) in self.members[..index].iter().enumerate() {
                    if member
                        .satellite
                        .as_ref()
                        .is_none_or(|satellite| satellite.kind != JoinKind::Single)
                    {
                        requires |= 1 << other;
                    }
                }
            }
            // What a required satellite requires too (it stands before this one): a satellite has no place without its base.
            for other in &self.members[..index] {
                if let Some(earlier) = &other.satellite
                    && self.reads(&other.columns) & requires != 0
                {
                    requires |= earlier.requires;
                }
            }
            if let Some(satellite) = &mut self.members[index].satellite {
                satellite.requires = requires;
            }
        }
        self.derived = self.predicates.len();
        self.close_equalities();
        let masks: Vec<u64> =
            self.predicates.iter().map(|predicate| self.reads(&predicate.columns())).collect();
        let base: Vec<f64> =
            self.members.iter().map(|member| estimator.rows(&member.plan)).collect();
        let mut search = Search { graph: &self, masks, base, estimator };
        let tree = if count <= EXHAUSTIVE_MAX { search.exhaustive() } else { search.greedy() };
        self.build(&tree)
    }

    /// `a = b` and `b = c` say `a = c`: more orders become possible. The derived ones are marked by being last.
    fn close_equalities(&mut self) {
        let relations = self.members.iter().filter(|member| member.satellite.is_none()).count();
        if !(3..=8).contains(&relations) {
            return;
        }
        let pairs: Vec<(ColumnId, ColumnId, Expr)> = self
            .predicates
            .iter()
            .filter_map(|predicate| match &predicate.kind {
                crate::expr::ExprKind::Call { function, args }
                    if crate::cost::is_equality(function.name) =>
                {
                    let [a, b] = &args[..] else { return None };
                    (a.ty.id == b.ty.id).then_some(())?;
                    Some((a.as_column()?, b.as_column()?, predicate.clone()))
                }
                _ => None,
            })
            .collect();
        let mut known: Vec<(ColumnId, ColumnId)> = pairs.iter().map(|(a, b, _)| (*a, *b)).collect();
        let mut derived = vec![];
        for (i, (a, b, like)) in pairs.iter().enumerate() {
            for (c, d, _) in &pairs[i + 1..] {
                let (x, y) = if a == c {
                    (*b, *d)
                } else if a == d {
                    (*b, *c)
                } else if b == c {
                    (*a, *d)
                } else if b == d {
                    (*a, *c)
                } else {
                    continue;
                };
                if x == y || known.contains(&(x, y)) || known.contains(&(y, x)) {
                    continue;
                }
                known.push((x, y));
                let mut predicate = like.clone();
                if let crate::expr::ExprKind::Call { args, .. } = &mut predicate.kind {
                    let ty = args[0].ty;
                    *args = vec![Expr::column(x, ty), Expr::column(y, ty)];
                }
                derived.push(predicate);
            }
        }
        self.derived = self.predicates.len();
        self.predicates.extend(derived);
    }

    /// The tree that the splits describe.
    fn build(self, tree: &Tree) -> Logical {
        let mut members: Vec<Option<Member>> = vec![];
        let derived = self.derived;
        let masks: Vec<u64> = {
            let graph = &self;
            graph.predicates.iter().map(|predicate| graph.reads(&predicate.columns())).collect()
        };
        members.extend(self.members.into_iter().map(Some));
        let mut predicates: Vec<Option<Expr>> = self.predicates.into_iter().map(Some).collect();
        let mut builder =
            Builder { members: &mut members, predicates: &mut predicates, masks: &masks, derived };
        let plan = builder.build(tree);
        // Conditions over no relation of the graph (constants, outer columns) test the whole.
        let rest: Vec<Expr> =
            predicates.iter_mut().take(derived).filter_map(Option::take).collect();
        plan.filter(rest)
    }
}

/// The shape of a join tree.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(usize),
    Join(Box<Tree>, Box<Tree>),
}

impl Tree {
    fn mask(&self) -> u64 {
        match self {
            Self::Leaf(index) => 1 << index,
            Self::Join(left, right) => left.mask() | right.mask(),
        }
    }
}

struct Search<'a, 'e> {
    graph: &'a Graph,
    masks: Vec<u64>,
    base: Vec<f64>,
    estimator: &'a Estimator<'e>,
}

impl Search<'_, '_> {
    /// Expected rows of joining two sets with so many rows, or `None` if they cannot be joined now.
    fn join(&self, left: u64, left_rows: f64, right: u64, right_rows: f64) -> Option<(f64, bool)> {
        if right.is_power_of_two()
            && let Some(satellite) = &self.graph.members[right.trailing_zeros() as usize].satellite
        {
            if satellite.requires & !left != 0 {
                return None;
            }
            let part = self.estimator.join_part(satellite.predicates.iter());
            let matches = right_rows * part;
            let rows = match satellite.kind {
                JoinKind::Left => left_rows * matches.max(1.0),
                JoinKind::Semi => {
                    left_rows
                        * matches.min(1.0).max(if satellite.predicates.is_empty() {
                            0.5
                        } else {
                            0.0
                        })
                }
                JoinKind::Anti => left_rows * (1.0 - matches.min(0.9)),
                _ => left_rows,
            };
            let rows = rows * self.selectivity(left, right);
            return Some((rows.max(1.0), true));
        }
        // A satellite alone is never a left side, nor is a set that is only a satellite.
        if left.is_power_of_two()
            && self.graph.members[left.trailing_zeros() as usize].satellite.is_some()
        {
            return None;
        }
        let connected = self
            .masks
            .iter()
            .any(|&mask| mask & left != 0 && mask & right != 0 && mask & !(left | right) == 0);
        Some(((left_rows * right_rows * self.selectivity(left, right)).max(1.0), connected))
    }

    /// Part of the pairs that the conjuncts which become testable let pass.
    fn selectivity(&self, left: u64, right: u64) -> f64 {
        let both = left | right;
        let testable = self
            .graph
            .predicates
            .iter()
            .zip(&self.masks)
            .filter(|(_, mask)| *mask & left != 0 && *mask & right != 0 && *mask & !both == 0);
        self.estimator.join_part(testable.map(|(predicate, _)| predicate))
    }

    fn cost(left: &Entry, right: &Entry, rows: f64, connected: bool, is_satellite: bool) -> f64 {
        let (outer, inner) = (left.rows, right.rows);
        let work = if !connected && !is_satellite {
            outer * inner * 10.0
        } else {
            let built = if is_satellite { inner } else { outer.min(inner) };
            let probed = if is_satellite { outer } else { outer.max(inner) };
            // A lookup from a small side may replace the scan of a large one.
            probed + 2.5 * built
        };
        left.cost + right.cost + work + rows
    }

    fn exhaustive(&mut self) -> Tree {
        let count = self.graph.members.len();
        let all: u64 = (1 << count) - 1;
        let mut best: Vec<Option<Entry>> = vec![None; 1 << count];
        for index in 0..count {
            best[1 << index] = Some(Entry { cost: 0.0, rows: self.base[index], split: (0, 0) });
        }
        // First without cross products; what stays unreachable then gets them.
        for allow_cross in [false, true] {
            for set in 1..=all {
                if set.count_ones() < 2 || best[set as usize].is_some() && allow_cross {
                    continue;
                }
                let mut found: Option<Entry> = None;
                let mut left = (set - 1) & set;
                while left != 0 {
                    let right = set & !left;
                    if let (Some(a), Some(b)) = (best[left as usize], best[right as usize])
                        && let Some((rows, connected)) = self.join(left, a.rows, right, b.rows)
                        && (connected || allow_cross)
                    {
                        let is_satellite = self.is_satellite(right);
                        let cost = Self::cost(&a, &b, rows, connected, is_satellite);
                        if found.is_none_or(|entry| cost < entry.cost) {
                            found = Some(Entry { cost, rows, split: (left, right) });
                        }
                    }
                    left = (left - 1) & set;
                }
                if found.is_some() {
                    best[set as usize] = found;
                }
            }
            if best[all as usize].is_some() {
                break;
            }
        }
        fn tree(best: &[Option<Entry>], set: u64) -> Tree {
            match best[set as usize] {
                Some(Entry { split: (left, right), .. }) if left != 0 => {
                    Tree::Join(Box::new(tree(best, left)), Box::new(tree(best, right)))
                }
                _ => Tree::Leaf(set.trailing_zeros() as usize),
            }
        }
        if best[all as usize].is_none() {
            return self.textual();
        }
        tree(&best, all)
    }

    fn is_satellite(&self, set: u64) -> bool {
        set.is_power_of_two()
            && self.graph.members[set.trailing_zeros() as usize].satellite.is_some()
    }

    /// The order of the text.
    fn textual(&self) -> Tree {
        let mut tree = Tree::Leaf(0);
        for index in 1..self.graph.members.len() {
            tree = Tree::Join(Box::new(tree), Box::new(Tree::Leaf(index)));
        }
        tree
    }

    fn greedy(&mut self) -> Tree {
        let mut parts: Vec<(Tree, Entry)> = (0..self.graph.members.len())
            .map(|index| {
                (Tree::Leaf(index), Entry { cost: 0.0, rows: self.base[index], split: (0, 0) })
            })
            .collect();
        while parts.len() > 1 {
            let mut best: Option<(bool, f64, usize, usize, f64)> = None;
            for i in 0..parts.len() {
                for j in 0..parts.len() {
                    if i == j {
                        continue;
                    }
                    let (left, right) = (parts[i].0.mask(), parts[j].0.mask());
                    let Some((rows, connected)) =
                        self.join(left, parts[i].1.rows, right, parts[j].1.rows)
                    else {
                        continue;
                    };
                    let cost = Self::cost(
                        &parts[i].1,
                        &parts[j].1,
                        rows,
                        connected,
                        self.is_satellite(right),
                    ) - parts[i].1.cost
                        - parts[j].1.cost;
                    let better = best.is_none_or(|(other_connected, other, ..)| {
                        (connected && !other_connected)
                            || connected == other_connected && cost < other
                    });
                    if better {
                        best = Some((connected, cost, i, j, rows));
                    }
                }
            }
            let Some((_, cost, i, j, rows)) = best else {
                return self.textual();
            };
            let total = parts[i].1.cost + parts[j].1.cost + cost;
            let tree = Tree::Join(Box::new(parts[i].0.clone()), Box::new(parts[j].0.clone()));
            let (low, high) = (i.min(j), i.max(j));
            parts.swap_remove(high);
            parts.swap_remove(low);
            parts.push((tree, Entry { cost: total, rows, split: (0, 0) }));
        }
        parts.pop().map_or_else(|| Tree::Leaf(0), |(tree, _)| tree)
    }
}

struct Builder<'a> {
    members: &'a mut Vec<Option<Member>>,
    predicates: &'a mut Vec<Option<Expr>>,
    masks: &'a [u64],
    derived: usize,
}

impl Builder<'_> {
    fn build(&mut self, tree: &Tree) -> Logical {
        match tree {
            Tree::Leaf(index) => {
                let mut plan =
                    self.members[*index].take().map_or_else(Logical::one_row, |member| member.plan);
                // What reads this member alone, and was not below it (it may raise), is tested on it.
                let own = self.ready(1 << index);
                if !own.is_empty() {
                    plan = plan.filter(own);
                }
                plan
            }
            Tree::Join(left, right) => {
                if let Tree::Leaf(index) = **right
                    && let Some(satellite) =
                        self.members[index].as_mut().and_then(|member| member.satellite.take())
                {
                    let left_mask = left.mask();
                    let left = self.build(left);
                    let plan = self.members[index]
                        .take()
                        .map_or_else(Logical::one_row, |member| member.plan);
                    let joined = Logical::Join(Join {
                        kind: satellite.kind,
                        left: Box::new(left),
                        right: Box::new(plan),
                        predicates: satellite.predicates,
                        mark: satellite.mark,
                        is_dependent: false,
                    });
                    let ready = self.ready(left_mask | 1 << index);
                    return joined.filter(ready);
                }
                let (left_mask, right_mask) = (left.mask(), right.mask());
                let (left, right) = (self.build(left), self.build(right));
                let mut predicates = self.ready(left_mask | right_mask);
                if !predicates.iter().any(|predicate| {
                    join_key(predicate, &left.output_set(), &right.output_set()).is_some()
                }) {
                    predicates.extend(self.implied(left_mask, right_mask));
                }
                left.join(JoinKind::Inner, right, predicates)
            }
        }
    }

    /// Written conjuncts that can be tested on `set` for the first time.
    fn ready(&mut self, set: u64) -> Vec<Expr> {
        let mut ready = vec![];
        for index in 0..self.derived.min(self.predicates.len()) {
            if self.masks[index] != 0 && self.masks[index] & !set == 0 {
                ready.extend(self.predicates[index].take());
            }
        }
        ready
    }

    /// A derived equality between two sets that no written one connects.
    fn implied(&mut self, left: u64, right: u64) -> Vec<Expr> {
        let mut implied = vec![];
        for index in self.derived..self.predicates.len() {
            let mask = self.masks[index];
            if mask & left != 0 && mask & right != 0 && mask & !(left | right) == 0 {
                implied.extend(self.predicates[index].clone());
            }
        }
        implied
    }
}

//! The topics as a tree, level by level, with counts and rates.
//!
//! Bounded: past [`MAX_NODES`] a topic counts at the deepest level of it that is here. Names that begin with `$` stand
//! last, the others in the order of their letters.

use std::collections::{HashMap, HashSet};

use crate::topic::TopicName;

use super::{Rate, budget::allocated};

/// Names a level of the tree.
pub type NodeId = u32;
/// The root, above all topics.
pub const ROOT: NodeId = 0;
/// The most levels of all topics together.
pub const MAX_NODES: usize = 20_000;
/// The most bytes that all levels and topics have together: names may be 64 KiB each.
pub const MAX_BYTES: usize = 12 * 1024 * 1024;
/// Deeper levels share one line.
const DEEPEST: usize = 32;
/// What a level takes besides its name: itself, its place among its siblings, and its topic's place in the index, in
/// vectors and a table that may be half empty.
const LEVEL: usize = 2 * size_of::<Node>() + 2 * size_of::<NodeId>() + 4 * size_of::<(TopicName, NodeId)>();

#[derive(Debug)]
struct Node {
    label: Box<str>,
    parent: NodeId,
    children: Vec<NodeId>,
    topic: Option<TopicName>,
    count: u64,
    problems: u64,
    rate: Rate,
}

impl Node {
    fn new(label: &str, parent: NodeId) -> Self {
        Self {
            label: label.into(),
            parent,
            children: Vec::new(),
            topic: None,
            count: 0,
            problems: 0,
            rate: Rate::default(),
        }
    }
}

/// One line of the tree as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeLine {
    /// Which.
    pub node: NodeId,
    /// How many levels in.
    pub depth: usize,
    /// Whether there is more inside, and whether that is shown.
    pub open: Option<bool>,
}

/// The topics as a tree.
#[derive(Debug)]
pub struct TopicTree {
    nodes: Vec<Node>,
    by_topic: HashMap<TopicName, NodeId>,
    version: u64,
    folded: u64,
    bytes: usize,
}

impl TopicTree {
    /// The root alone.
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::new("", ROOT)],
            by_topic: HashMap::new(),
            version: 0,
            folded: 0,
            bytes: LEVEL,
        }
    }

    /// Counts a message and says where it hangs.
    pub(super) fn count(&mut self, topic: &TopicName, at_ms: u64, problem: bool) -> NodeId {
        let node = match self.by_topic.get(topic) {
            Some(node) => *node,
            None => self.place(topic),
        };
        let mut at = node;
        loop {
            let level = &mut self.nodes[at as usize];
            level.count += 1;
            level.problems += u64::from(problem);
            level.rate.count(at_ms, 1);
            if at == ROOT {
                return node;
            }
            at = level.parent;
        }
    }

    fn place(&mut self, topic: &TopicName) -> NodeId {
        let text = allocated(2 * size_of::<usize>() + topic.as_str().len());
        let mut at = ROOT;
        for label in topic.as_str().splitn(DEEPEST, '/') {
            let children = &self.nodes[at as usize].children;
            let found = children.binary_search_by(|child| {
                let other = &*self.nodes[*child as usize].label;
                (other.starts_with('$'), other).cmp(&(label.starts_with('$'), label))
            });
            at = match found {
                Ok(index) => children[index],
                Err(_)
                    if self.nodes.len() >= MAX_NODES
                        || self.bytes + LEVEL + allocated(label.len()) + text > MAX_BYTES =>
                {
                    self.folded += 1;
                    return at;
                }
                Err(index) => {
                    let child = self.nodes.len() as NodeId;
                    self.nodes.push(Node::new(label, at));
                    self.bytes += LEVEL + allocated(label.len());
                    self.nodes[at as usize].children.insert(index, child);
                    self.version += 1;
                    child
                }
            };
        }
        if self.bytes + text > MAX_BYTES {
            self.folded += 1;
            return at;
        }
        self.bytes += text;
        self.nodes[at as usize].topic = Some(topic.clone());
        self.by_topic.insert(topic.clone(), at);
        at
    }

    /// What levels and topics have in memory.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many topics there are.
    #[must_use]
    pub fn topics(&self) -> usize {
        self.by_topic.len()
    }

    /// Every topic, in no order.
    pub fn names(&self) -> impl Iterator<Item = &TopicName> {
        self.by_topic.keys()
    }

    /// Messages that count at a higher level, because there were too many topics.
    #[must_use]
    pub const fn folded(&self) -> u64 {
        self.folded
    }

    /// Changes with every new level.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The level's own name; a level without letters shows as `(empty)`.
    #[must_use]
    pub fn label(&self, node: NodeId) -> &str {
        match &*self.nodes[node as usize].label {
            "" => "(empty)",
            label => label,
        }
    }

    /// The topic that ends at this level, where messages came on it.
    #[must_use]
    pub fn topic(&self, node: NodeId) -> Option<&TopicName> {
        self.nodes.get(node as usize)?.topic.as_ref()
    }

    /// Where a topic hangs.
    #[must_use]
    pub fn find(&self, topic: &TopicName) -> Option<NodeId> {
        self.by_topic.get(topic).copied()
    }

    /// The whole path of a level.
    #[must_use]
    pub fn path(&self, node: NodeId) -> String {
        let mut labels = Vec::new();
        let mut at = node;
        while at != ROOT {
            labels.push(&*self.nodes[at as usize].label);
            at = self.nodes[at as usize].parent;
        }
        labels.reverse();
        labels.join("/")
    }

    /// The level above.
    #[must_use]
    pub fn parent(&self, node: NodeId) -> NodeId {
        self.nodes[node as usize].parent
    }

    /// The levels right below.
    #[must_use]
    pub fn children(&self, node: NodeId) -> &[NodeId] {
        &self.nodes[node as usize].children
    }

    /// Messages at and below this level since the start.
    #[must_use]
    pub fn messages(&self, node: NodeId) -> u64 {
        self.nodes[node as usize].count
    }

    /// Of these, the ones that were refused or have something notable.
    #[must_use]
    pub fn problems(&self, node: NodeId) -> u64 {
        self.nodes[node as usize].problems
    }

    /// Messages a second at and below this level.
    #[must_use]
    pub fn rate(&self, node: NodeId, now_ms: u64) -> f64 {
        self.nodes[node as usize].rate.per_second(now_ms)
    }

    /// Whether `node` is `top` or below it.
    #[must_use]
    pub fn is_under(&self, node: NodeId, top: NodeId) -> bool {
        let mut at = node;
        while at != top {
            if at == ROOT {
                return false;
            }
            at = self.nodes[at as usize].parent;
        }
        true
    }

    /// The lines to show: all that is open, or with a search text (lower case) what it is found in and the way there.
    #[must_use]
    pub fn lines(&self, open: &HashSet<NodeId>, search: &str) -> Vec<TreeLine> {
        let mut lines = Vec::new();
        if search.is_empty() {
            self.collect(ROOT, 0, &mut lines, &|node| Some(open.contains(&node)));
        } else {
            let wanted = self.wanted(search);
            self.collect(ROOT, 0, &mut lines, &|node| wanted.contains(&node).then_some(true));
            lines.retain(|line| wanted.contains(&line.node));
        }
        lines
    }

    fn collect(
        &self,
        top: NodeId,
        depth: usize,
        lines: &mut Vec<TreeLine>,
        is_open: &impl Fn(NodeId) -> Option<bool>,
    ) {
        for &node in self.children(top) {
            let state = is_open(node);
            let inside = !self.children(node).is_empty();
            lines.push(TreeLine { node, depth, open: inside.then_some(state == Some(true)) });
            if inside && state == Some(true) {
                self.collect(node, depth + 1, lines, is_open);
            }
        }
    }

    /// Every level whose path holds the text, with the levels above.
    fn wanted(&self, search: &str) -> HashSet<NodeId> {
        let mut wanted = HashSet::new();
        // A level's number is higher than that of the level above, which is so looked at before it.
        let mut holds = vec![false; self.nodes.len()];
        let across_levels = search.contains('/');
        for node in 1..self.nodes.len() as NodeId {
            let level = &self.nodes[node as usize];
            let found = holds[level.parent as usize]
                || if across_levels {
                    self.path(node).to_lowercase().contains(search)
                } else {
                    level.label.to_lowercase().contains(search)
                };
            holds[node as usize] = found;
            if found {
                let mut at = node;
                while at != ROOT && wanted.insert(at) {
                    at = self.nodes[at as usize].parent;
                }
            }
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(topics: &[&str]) -> TopicTree {
        let mut tree = TopicTree::new();
        for topic in topics {
            tree.count(&TopicName::new(topic).unwrap(), 1_000, false);
        }
        tree
    }

    fn shown(tree: &TopicTree, open: &[&str], search: &str) -> Vec<String> {
        let open = (1..tree.nodes.len() as NodeId)
            .filter(|node| open.contains(&tree.path(*node).as_str()))
            .collect();
        tree.lines(&open, search)
            .iter()
            .map(|line| format!("{}{}", "-".repeat(line.depth), tree.label(line.node)))
            .collect()
    }

    #[test]
    fn topics_hang_level_by_level_in_order_and_the_system_stands_last() {
        let tree = tree(&["plant/b", "$SYS/x", "plant/a", "plant", "fleet/1/gps", "/lead"]);
        assert_eq!(shown(&tree, &[], ""), ["(empty)", "fleet", "plant", "$SYS"]);
        assert_eq!(
            shown(&tree, &["plant", "fleet/1"], ""),
            ["(empty)", "fleet", "plant", "-a", "-b", "$SYS"]
        );
        let plant = tree.find(&TopicName::new("plant").unwrap()).unwrap();
        assert_eq!(tree.messages(plant), 3);
        assert_eq!(tree.messages(ROOT), 6);
        assert_eq!((tree.topics(), tree.path(plant).as_str()), (6, "plant"));
    }

    #[test]
    fn a_search_opens_the_way_to_what_it_finds() {
        let tree = tree(&["plant/line-1/press/celsius", "plant/hvac", "fleet/1"]);
        assert_eq!(shown(&tree, &[], "press"), ["plant", "-line-1", "--press", "---celsius"]);
        assert_eq!(shown(&tree, &[], "1/pre"), ["plant", "-line-1", "--press", "---celsius"]);
        assert_eq!(shown(&tree, &[], "line-1"), ["plant", "-line-1", "--press", "---celsius"]);
        assert!(shown(&tree, &[], "nothing").is_empty());
    }

    #[test]
    fn a_broker_with_endless_topics_or_levels_cannot_fill_the_memory() {
        let mut tree = TopicTree::new();
        for number in 0..30_000 {
            tree.count(&TopicName::new(format!("a/{number}")).unwrap(), 1_000, false);
        }
        assert_eq!(tree.nodes.len(), MAX_NODES);
        assert_eq!(tree.messages(ROOT), 30_000);
        assert_eq!(tree.folded(), 30_000 - (MAX_NODES as u64 - 2));
        let deep = super::TopicTree::new().count(&TopicName::new("/".repeat(60_000)).unwrap(), 1, false);
        assert_eq!(deep as usize, DEEPEST);
    }

    #[test]
    fn long_names_fill_the_tree_sooner_and_what_finds_no_room_is_counted_above() {
        let mut tree = TopicTree::new();
        for number in 0..400 {
            tree.count(&TopicName::new(format!("a/{number}{}", "x".repeat(40_000))).unwrap(), 1_000, false);
        }
        assert!(tree.bytes() <= MAX_BYTES && tree.bytes() > MAX_BYTES / 2, "{}", tree.bytes());
        assert_eq!((tree.messages(ROOT), tree.topics() as u64 + tree.folded()), (400, 400));
    }

    #[test]
    fn what_is_under_a_level_includes_itself() {
        let tree = tree(&["a/b/c", "a/bb"]);
        let find = |topic: &str| tree.find(&TopicName::new(topic).unwrap()).unwrap();
        let b = tree.parent(find("a/b/c"));
        assert!(tree.is_under(find("a/b/c"), b) && tree.is_under(b, b) && tree.is_under(b, ROOT));
        assert!(!tree.is_under(find("a/bb"), b));
    }
}

//! The places that are wanted in JSON values, as a tree of keys.

/// The wanted paths as a tree of keys.
#[derive(Debug)]
pub(crate) struct Paths {
    nodes: Vec<Node>,
    columns: usize,
    /// The node of the object whose other keys are noted, too.
    noted: Option<usize>,
}

#[derive(Debug, Default)]
struct Node {
    children: Vec<Child>,
}

#[derive(Debug)]
pub(crate) struct Child {
    key: Vec<u8>,
    /// The key as an element's number.
    element: Option<usize>,
    /// The columns whose path ends here.
    pub(crate) columns: Vec<usize>,
    /// Where longer paths go on.
    pub(crate) node: Option<usize>,
}

impl Paths {
    /// The tree of some paths, one a column.
    pub(crate) fn new<'a>(paths: impl ExactSizeIterator<Item = &'a str>) -> Self {
        Self::of(paths.len(), paths.enumerate())
    }

    /// The tree of the paths of some columns; the others have none.
    pub(crate) fn of<'a>(columns: usize, paths: impl Iterator<Item = (usize, &'a str)>) -> Self {
        let mut tree = Self { nodes: vec![Node::default()], columns, noted: None };
        for (column, path) in paths {
            if let Some((node, child)) = tree.trail(path).pop() {
                tree.nodes[node].children[child].columns.push(column);
            }
        }
        tree
    }

    /// Keys that no path begins with are noted, too: those of the object at a path, or of the outermost one.
    pub(crate) fn noting(mut self, object: Option<&str>) -> Self {
        let node = match object.and_then(|path| self.trail(path).pop()) {
            Some((node, child)) => self.below(node, child),
            None => 0,
        };
        self.noted = Some(node);
        self
    }

    /// The nodes and children that a path passes through; they are added where they are missing.
    pub(crate) fn trail(&mut self, path: &str) -> Vec<(usize, usize)> {
        let keys = segments(path);
        let mut trail = Vec::with_capacity(keys.len());
        let mut node = 0;
        for (depth, key) in keys.iter().enumerate() {
            let child = self.child(node, key);
            trail.push((node, child));
            if depth + 1 < keys.len() {
                node = self.below(node, child);
            }
        }
        trail
    }

    fn child(&mut self, node: usize, key: &str) -> usize {
        let children = &mut self.nodes[node].children;
        children.iter().position(|c| c.key == key.as_bytes()).unwrap_or_else(|| {
            // `01` is a key, but the number of no element.
            let element = key.parse::<usize>().ok().filter(|n| n.to_string() == key);
            children.push(Child { key: key.as_bytes().to_vec(), element, columns: Vec::new(), node: None });
            children.len() - 1
        })
    }

    fn below(&mut self, node: usize, child: usize) -> usize {
        if let Some(below) = self.nodes[node].children[child].node {
            return below;
        }
        self.nodes.push(Node::default());
        let below = self.nodes.len() - 1;
        self.nodes[node].children[child].node = Some(below);
        below
    }

    /// How many columns there are, with a path or without.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn notes(&self, node: usize) -> bool {
        self.noted == Some(node)
    }

    pub(crate) fn at(&self, node: usize, child: usize) -> &Child {
        &self.nodes[node].children[child]
    }

    pub(crate) fn find(&self, node: usize, key: &[u8]) -> Option<usize> {
        self.nodes[node].children.iter().position(|c| c.key == key)
    }

    pub(crate) fn element(&self, node: usize, index: usize) -> Option<usize> {
        self.nodes[node].children.iter().position(|c| c.element == Some(index))
    }

    /// The last element of a list at the root that any path wants.
    pub(crate) fn last_element(&self) -> Option<usize> {
        self.nodes[0].children.iter().filter_map(|c| c.element).max()
    }
}

/// The keys of a path: split at dots, except `\.`.
#[must_use]
pub fn segments(path: &str) -> Vec<String> {
    let mut keys = vec![String::new()];
    let mut chars = path.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'.') => {
                chars.next();
                push(&mut keys, '.');
            }
            '.' => keys.push(String::new()),
            c => push(&mut keys, c),
        }
    }
    keys
}

fn push(keys: &mut [String], c: char) {
    if let Some(last) = keys.last_mut() {
        last.push(c);
    }
}

"""From text to sections: `yaml_tree` (YAML to nodes, bounded), `lines` (on which line a value stands),
`decode` (nodes to typed sections), `expectations` (what would be right, in words), `draft` (what is sound so
far, and the mistakes)."""

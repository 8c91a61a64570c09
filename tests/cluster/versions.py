"""Which versions is the cluster made of? The modules' own are in `node/go.mod`."""

KUBERNETES = "v1.37.2"
"""Of the node that is built here, and of kubectl."""

PUBLISHED_NODE = (
    "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
)
"""The node image that belongs to this release of kind; taken where Docker can pull it."""

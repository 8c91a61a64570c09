"""What the reconcile bench is made of: a cluster, who looks on, who plays kubelet, who works."""

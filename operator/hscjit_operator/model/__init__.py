"""What do we know: the spec as asked, the cluster as observed, the status as reported?"""

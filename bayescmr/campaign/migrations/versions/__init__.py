"""Revisions, each as it was when it was published: never changed afterwards."""

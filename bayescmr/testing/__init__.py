"""Conformance suites that ship with the package, for laws, stores and runners of your own."""

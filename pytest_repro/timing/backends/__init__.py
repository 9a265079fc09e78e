"""Backends of single libraries; each is imported only after its library."""

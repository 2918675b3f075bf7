"""Servers of labelling tools: tasks go there and labels come back."""

"""Uptime: when stores were online within their business hours."""

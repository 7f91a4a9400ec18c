"""The Feedback Hub: customer feedback in, one record per answered field."""

__version__ = "0.1.0"

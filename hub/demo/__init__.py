"""What `hub demo` tells: eighteen months of a software company's feedback, the same for everybody who asks for the same day.

`story` has what happened, `surveys` what was asked, `sentences` what people wrote. Payloads are in the vendors' own shapes, so
that the demo shows what the hub makes of them.
"""

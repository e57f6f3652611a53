"""The specification of airgap, as tests; the folders mirror the rooms of the package."""

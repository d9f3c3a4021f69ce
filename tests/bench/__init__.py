"""`make bench`: what boothd costs, as ratios against a bare relay measured in the same run."""

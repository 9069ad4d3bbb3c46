"""What a sweep teaches: the numbers behind figures, comparisons and advice. Plain functions of a folded sweep."""

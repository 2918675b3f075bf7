"""From clips to labels and back: frames worth labelling, pre-labels for labelling tools, what labelling costs."""

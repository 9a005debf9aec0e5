// Colours of probabilities and weights. Text on them stays readable in both themes: the colour is a tint of the background.

/** Style of a symbol with this probability: certain is plain, uncertain is orange. */
export function tint(probability) {
  const doubt = Math.min(1, 1 - probability);
  return {backgroundColor: `rgb(var(--doubt) / calc(var(--strongest) * ${doubt.toFixed(3)}))`};
}

/** Fill of a cell with a weight from 0 to 1. */
export const shade = (weight) => `rgb(var(--accent) / ${Math.max(0, Math.min(1, weight)).toFixed(3)})`;

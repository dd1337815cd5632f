export const species = ['setosa', 'versicolor', 'virginica'] as const;

/** Mean of sepal length, sepal width, petal length and petal width (cm) of each species in Fisher's data. */
const means: readonly (readonly number[])[] = [
  [5.006, 3.428, 1.462, 0.246],
  [5.936, 2.77, 4.26, 1.326],
  [6.588, 2.974, 5.552, 2.026],
];

/** Variance of each measure within the species, pooled. */
const variances = [0.265, 0.1154, 0.1852, 0.0419];

/** The probability of each species: Gaussian naive Bayes with shared variances and equal priors. */
export function probabilities(flower: readonly number[]): number[] {
  const scores = means.map((mean) => -0.5 * sum(mean.map((m, i) => ((flower[i] ?? 0) - m) ** 2 / (variances[i] ?? 1))));
  const best = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - best));
  return weights.map((weight) => weight / sum(weights));
}

/** Position of the likeliest species. */
export function classify(flower: readonly number[]): number {
  const all = probabilities(flower);
  return all.indexOf(Math.max(...all));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

// The scores of one list as places on a line from the lowest to the highest. A place needs no zero, so the
// picture is right for any scale: counts, similarities, log-probabilities.

export class Scale {
  constructor(scores) {
    const known = scores.filter((score) => score !== null);
    this.empty = known.length === 0;
    this.low = this.empty ? 0 : Math.min(...known);
    this.high = this.empty ? 0 : Math.max(...known);
    const spread = this.high - this.low || Math.abs(this.high);
    const digits = Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(spread || 1))));
    this.words = new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  }

  say(score) {
    return score === null ? "–" : this.words.format(score);
  }

  share(score) {
    return this.high === this.low ? 0.5 : (score - this.low) / (this.high - this.low);
  }

  get legend() {
    if (this.empty) return "";
    if (this.high === this.low) return `All scores are ${this.say(this.low)}`;
    return `Score, from ${this.say(this.low)} on the left to ${this.say(this.high)} on the right`;
  }
}

// Numbers as people paste them: lines of a spreadsheet, a CSV file, a column.

const BETWEEN = /[\s,;]+/;

// Rows for an input (N, T): a row for each line, or one row if each line has one number. For an input (N, T, C): one row,
// whose times are the lines. A first line without any number is a heading. Throws an Error with a sentence for people.
export function parseNumbers(text, { name, shape }) {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter(Boolean).map((line) => line.split(BETWEEN).filter(Boolean));
  if (lines.length > 1 && lines[0].every((word) => Number.isNaN(Number(word)))) lines.shift();
  const rows = lines.map((line, i) => line.map((word) => {
    const value = Number(word);
    if (Number.isNaN(value)) throw new Error(`Line ${i + 1} of ${name} has \u201c${word}\u201d, which is no number.`);
    return value;
  }));
  if (!rows.length) throw new Error(`There are no numbers in ${name}.`);
  if (shape.length === 3) return [rows];
  return rows.length > 1 && rows.every((row) => row.length === 1) && shape[1] !== 1 ? [rows.flat()] : rows;
}

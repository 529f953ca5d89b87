import { checkList } from '../check.js'
import { badArgument } from '../errors.js'

/**
 * The reference of a sentence, or several: translations that are equally right. The sentences may have different numbers of
 * them. An empty string is a reference like others.
 */
export type References = string | readonly string[]

/**
 * Checks a score's arguments, and returns the references of each sentence as a list.
 * @throws PackedRnnError ERR_SHAPE for another number of sentences, ERR_EMPTY for a sentence without a reference,
 * ERR_INVALID_ARGUMENT for anything but strings.
 */
export function referencesOf(
  op: string,
  hypotheses: readonly string[],
  references: readonly References[],
): (readonly string[])[] {
  checkPairs(op, hypotheses, references)
  return references.map((each, i) => {
    const given = typeof each === 'string' ? [each] : each
    checkList(op, `references[${i}]`, given, 'strings')
    for (const text of given) checkText(op, `references[${i}]`, text)
    if (given.length > 0) return given
    throw badArgument(op, `references[${i}]`, 'at least one reference', 'none', 'ERR_EMPTY')
  })
}

/** Checks for as many references as hypotheses, and that hypotheses are strings. */
export function checkPairs(op: string, hypotheses: readonly string[], references: readonly unknown[]): void {
  checkList(op, 'hypotheses', hypotheses, 'strings')
  checkList(op, 'references', references, 'references')
  if (references.length !== hypotheses.length) {
    const wanted = `those of ${hypotheses.length} sentences`
    throw badArgument(op, 'references', wanted, `of ${references.length}`, 'ERR_SHAPE')
  }
  for (const [i, text] of hypotheses.entries()) checkText(op, `hypotheses[${i}]`, text)
}

function checkText(op: string, name: string, text: unknown): void {
  if (typeof text !== 'string') throw badArgument(op, name, 'a string', text)
}

/** For a signature: the number of references of each sentence, `var` if it differs. */
export function numberOfReferences(references: readonly (readonly string[])[]): number | 'var' {
  const numbers = new Set(references.map(each => each.length))
  const [first = 1] = numbers
  return numbers.size > 1 ? 'var' : first
}

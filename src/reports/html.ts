/** Text that is HTML already. Only `html` and `markup` make it. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }
}

/** What may stand in a page: HTML as it is, lists one after the other, nothing for null, and all else as text. */
export type Content = Html | string | number | null | readonly Content[]

/** A piece of a page. Whatever is put in is text, unless `html` made it: a `<` comes out as `&lt;`. */
export function html(strings: TemplateStringsArray, ...contents: Content[]): Html {
  return new Html(strings.map((part, i) => (i === 0 ? '' : render(contents[i - 1]!)) + part).join(''))
}

/** HTML that a library wrote, which has escaped what came from elsewhere. */
export function markup(text: string): Html {
  return new Html(text)
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function render(content: Content): string {
  if (content === null) return ''
  if (content instanceof Html) return content.text
  if (typeof content === 'object') return content.map(render).join('')
  return String(content).replace(/[&<>"']/g, letter => ENTITIES[letter]!)
}

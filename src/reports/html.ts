/** Text that is already HTML. Only `html` and `markup` create it. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Content of a page: HTML is inserted unchanged, lists are concatenated, null is empty, everything else is escaped text. */
export type Content = Html | string | number | null | readonly Content[]

/** A template tag for HTML. Inserted values are escaped unless they are `Html`: `<` becomes `&lt;`. */
export function html(strings: TemplateStringsArray, ...contents: Content[]): Html {
  return new Html(strings.map((part, i) => (i === 0 ? '' : render(contents[i - 1]!)) + part).join(''))
}

/** Marks text as HTML. Use it only for a library's output that is already escaped. */
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

// What the page uses of lean-qr 2.7.4.

/** `get` is true where a module is dark; beside the code all is light. */
export interface Bitmap {
  readonly size: number;
  get(x: number, y: number): boolean;
}

export function generate(data: string): Bitmap;

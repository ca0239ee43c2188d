/**
 * The part of Jinja that chat templates of published models are written in, with the settings of
 * {@code transformers}: {@code trim_blocks}, {@code lstrip_blocks}, {@code raise_exception}, {@code
 * tojson} and {@code generation} blocks. What is not here is refused when the template is parsed
 * or, for a filter or method, when it is used, with the line of the template.
 *
 * <p>Read first: {@link dev.kindling.worker.jinja.Template}, {@link
 * dev.kindling.worker.jinja.Lexer}, {@link dev.kindling.worker.jinja.StatementParser}, {@link
 * dev.kindling.worker.jinja.ExpressionParser}, {@link dev.kindling.worker.jinja.Values}.
 *
 * <p>A template comes with a model, so it is input of strangers: it reaches no Java object, no
 * file, no clock and no random number, and ranges, nesting and output are bounded.
 *
 * <p>Must not depend on any other package of this project.
 */
@NullMarked
package dev.kindling.worker.jinja;

import org.jspecify.annotations.NullMarked;

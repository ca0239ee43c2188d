/**
 * The pantry: reads one YAML text strictly into a tree of records and writes such a tree back.
 *
 * <p>Read first: {@link dev.kindling.configs.yaml.ConfigDocument} (text, positions, {@code --set}),
 * {@link dev.kindling.configs.yaml.RecordBinder} (document to records, every error at once), {@link
 * dev.kindling.configs.yaml.ConfigException}, {@link dev.kindling.configs.yaml.Bound} (value and
 * the origin of each part), {@link dev.kindling.configs.yaml.RecordRenderer} (records back to
 * YAML).
 *
 * <p>A configuration record needs no annotation. Its YAML key is the component's name in
 * snake_case; {@code public static Map<String, Object> defaults()} (component name to value) makes
 * components optional; its compact constructor reports bad values as one {@link
 * IllegalArgumentException} with one line {@code component: expected X, found Y} each. A sealed
 * interface is chosen by {@code type:}.
 *
 * <p>Must not depend on any other room.
 */
@NullMarked
package dev.kindling.configs.yaml;

import org.jspecify.annotations.NullMarked;

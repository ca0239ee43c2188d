package dev.kindling.configs.yaml;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * One YAML text with the position of each key and value, and the {@code --set} assignments laid
 * over it. Immutable. Syntax errors are thrown here, errors of meaning by {@link RecordBinder}.
 */
public final class ConfigDocument {
  /** The file name under which errors in {@code --set} assignments are reported. */
  public static final String SET = "--set";

  private final YamlNode root;
  private final String fileName;
  private final int assignments;

  private ConfigDocument(YamlNode root, String fileName, int assignments) {
    this.root = root;
    this.fileName = fileName;
    this.assignments = assignments;
  }

  /**
   * @throws ConfigException if the text is not one well-formed YAML document, nests deeper than 32
   *     levels, or its aliases expand to more than 20,000 values
   */
  public static ConfigDocument parse(String text, String fileName) {
    return new ConfigDocument(YamlReader.read(text, new Position(fileName, 1, 1)), fileName, 0);
  }

  /**
   * Reads a UTF-8 file.
   *
   * @throws ConfigException also if the file is missing, unreadable or not UTF-8
   */
  public static ConfigDocument read(Path file) {
    Position start = new Position(file.toString(), 1, 1);
    try {
      byte[] bytes = Files.readAllBytes(file);
      return parse(
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString(),
          file.toString());
    } catch (NoSuchFileException e) {
      throw new ConfigException(start, "no such file");
    } catch (CharacterCodingException e) {
      throw new ConfigException(start, "not UTF-8 text");
    } catch (IOException e) {
      throw new ConfigException(start, "cannot be read: " + e.getMessage());
    }
  }

  /**
   * Lays {@code path=value} assignments over this document, later ones winning. The value is YAML
   * (scalar or flow); a path segment that holds dots is quoted: {@code
   * spark.conf."spark.ui.port"=0}.
   */
  public ConfigDocument with(List<String> setAssignments) {
    YamlNode changed = root;
    int ordinal = assignments;
    List<ConfigError> errors = new ArrayList<>();
    for (String text : setAssignments) {
      try {
        changed = SetAssignment.parse(text, ++ordinal).applyTo(changed);
      } catch (ConfigException e) {
        errors.addAll(e.errors());
      }
    }
    if (!errors.isEmpty()) {
      throw new ConfigException(errors);
    }
    return new ConfigDocument(changed, fileName, ordinal);
  }

  public String fileName() {
    return fileName;
  }

  YamlNode root() {
    return root;
  }
}

package dev.kindling.driver.ml;

import static org.apache.spark.sql.functions.length;
import static org.apache.spark.sql.functions.xxhash64;

import dev.kindling.worker.data.DataException;
import dev.kindling.worker.store.BuildFolder;
import dev.kindling.worker.store.Json;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Iterator;
import java.util.Locale;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.jspecify.annotations.Nullable;

/**
 * A column of text as files of JSON lines. The order is by a hash of the text: the same rows give
 * the same bytes, however Spark cut and ordered them. Rows without text are left out.
 */
final class DatasetFiles {
  /** The member of each line that holds the text. */
  static final String FIELD = "text";

  /** So that several tasks can read them at once. */
  private static final long FILE_CHARS = 64L << 20;

  private DatasetFiles() {}

  /**
   * Writes a folder whole or not at all; one that is there is replaced. The rows pass through this
   * JVM one partition at a time.
   *
   * @throws DataException if it cannot be written, or no row holds text
   */
  static void write(Dataset<?> dataset, String column, Path folder) {
    Column text = dataset.col("`" + column.replace("`", "``") + "`").as(FIELD);
    Dataset<String> texts = dataset.select(text).as(Encoders.STRING());
    Column read = texts.col(FIELD);
    Iterator<String> rows =
        texts
            .where(read.isNotNull().and(length(read).gt(0)))
            .orderBy(xxhash64(read), read)
            .toLocalIterator();
    if (!rows.hasNext()) {
      throw new DataException("textCol: expected rows with text in " + column + ", found none");
    }
    BuildFolder.sweep(folder);
    try (BuildFolder building = BuildFolder.beside(folder)) {
      write(rows, building.path());
      BuildFolder.delete(folder);
      Files.move(building.path(), folder, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new DataException(folder + ": cannot be written: " + e, e);
    }
  }

  private static void write(Iterator<String> rows, Path folder) throws IOException {
    for (int file = 0; rows.hasNext(); file++) {
      Path path = folder.resolve(String.format(Locale.ROOT, "part-%05d.jsonl", file));
      try (BufferedWriter out = Files.newBufferedWriter(path, StandardCharsets.UTF_8)) {
        for (long chars = 0; rows.hasNext() && chars < FILE_CHARS; ) {
          @Nullable String text = rows.next();
          String line = Json.object().put(FIELD, String.valueOf(text)).build().write();
          out.write(line);
          out.write('\n');
          chars += line.length();
        }
      }
    }
  }
}

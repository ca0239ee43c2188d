package dev.kindling.driver.store;

import java.io.IOException;
import java.util.Locale;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What makes a small object appear whole and to one writer only; it depends on the store. */
enum CommitRule {
  /**
   * A temporary file, synced and closed, then a rename that refuses an existing target: one
   * transaction of the name node. A create without overwrite is as exclusive there, but shows the
   * name before the bytes.
   */
  RENAME,

  /** One upload whose completion the store refuses if the name exists (If-None-Match). */
  CONDITIONAL_PUT,

  /**
   * A look, then an upload. Two drivers that look at the same time both win, so the user must have
   * said that there is one.
   */
  SINGLE_DRIVER;

  /** Key of Hadoop's settings by which a user vouches for a single driver. */
  static final String VOUCHED = "kindling.storage.single-driver";

  /**
   * Option of {@code createFile} and capability of a path. Hadoop's constant for it is younger than
   * the oldest Hadoop that we run on.
   */
  static final String CONDITIONAL = "fs.option.create.conditional.overwrite";

  /** Schemes whose rename is one transaction. That of an object store copies and deletes. */
  private static final Set<String> RENAMING = Set.of("hdfs", "viewfs");

  private static final Logger LOG = LoggerFactory.getLogger(CommitRule.class);

  /**
   * The rule of a store.
   *
   * @throws IOException if it has none and nobody vouched for a single driver
   */
  static CommitRule of(FileSystem files, Path root, Configuration settings) throws IOException {
    String scheme = files.getUri().getScheme().toLowerCase(Locale.ROOT);
    if (RENAMING.contains(scheme)) {
      return RENAME;
    }
    if (files.hasPathCapability(root, CONDITIONAL)) {
      return CONDITIONAL_PUT;
    }
    if (settings.getBoolean(VOUCHED, false)) {
      LOG.warn(
          "{}: this store cannot refuse a second writer; {} says that there is one driver only",
          root,
          VOUCHED);
      return SINGLE_DRIVER;
    }
    throw new IOException(
        "expected a store that creates a file only if it is absent ("
            + CONDITIONAL
            + "), found one that does not; if one driver at a time works on this folder, say so"
            + " with spark.hadoop."
            + VOUCHED
            + "=true");
  }
}

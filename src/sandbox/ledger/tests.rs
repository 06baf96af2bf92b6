//! Rules of the books, without HTTP and without a file.
